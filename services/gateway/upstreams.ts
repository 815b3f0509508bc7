// gRPC clients to the connection processes, one for each address that was asked lately.
import { type Client, createClient } from "#lib/grpc.ts";
import type { GrpcTls } from "#lib/grpc-tls.ts";
import { UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";

export type Upstreams = AsyncDisposable & { at(address: string): Client<typeof UpstreamService> };

/** A pod's address is seldom seen again, so those not asked for longest are closed. */
const kept = 256;

export function createUpstreams(tls?: GrpcTls): Upstreams {
  const clients = new Map<string, Client<typeof UpstreamService>>();
  return {
    at(address) {
      const client = clients.get(address) ?? createClient(UpstreamService, address, { deadlineMs: 10_000, tls });
      clients.delete(address);
      clients.set(address, client);
      const [oldest] = clients;
      if (clients.size > kept && oldest !== undefined) {
        clients.delete(oldest[0]);
        void oldest[1][Symbol.asyncDispose]();
      }
      return client;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(Array.from(clients.values(), (client) => client[Symbol.asyncDispose]()));
    },
  };
}
