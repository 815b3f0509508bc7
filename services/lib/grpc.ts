// gRPC with protobuf-es messages over grpc-js: typed handlers and clients, one error mapping, deadlines, health, reflection.
// Nothing is ever retried here: whether a call may be repeated is the caller's knowledge.
// The files lib/grpc*.ts alone may cast: grpc-js knows its messages only as `any`.
import type { DescMessage, DescService } from "@bufbuild/protobuf";
import type { DescMethodBiDiStreaming, DescMethodClientStreaming, DescMethodServerStreaming } from "@bufbuild/protobuf";
import type { DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import type { Registry } from "prom-client";
import { Health } from "#proto/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "#proto/grpc/reflection/v1/reflection_pb.ts";
import { ServiceError } from "./errors.ts";
import { createHealth } from "./grpc-builtin.ts";
import {
  type CallContext,
  definitionOf,
  durationHistogram,
  guard,
  implement,
  type LooseHandler,
} from "./grpc-incoming.ts";
import { type CallOptions, clientMethod } from "./grpc-outgoing.ts";
import { createReflection } from "./grpc-reflection.ts";
import { type GrpcListener, type GrpcTls, listenWithTls } from "./grpc-tls.ts";
import type { Log } from "./log.ts";

/** @public For handlers that live in files of their own. */
export type { CallContext };

type Requests<I extends DescMessage> = AsyncIterable<MessageShape<I>>;
type Responses<O extends DescMessage> = AsyncIterable<MessageInitShape<O>>;

type Handler<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, context: CallContext) => Promise<MessageInitShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, context: CallContext) => Responses<O>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (requests: Requests<I>, context: CallContext) => Promise<MessageInitShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? (requests: Requests<I>, context: CallContext) => Responses<O>
          : never;

/** One function for each RPC of the service; those left out answer UNIMPLEMENTED. */
export type Handlers<Desc extends DescService> = { [Name in keyof Desc["method"]]?: Handler<Desc["method"][Name]> };

/** A service with its handlers, to be given to startGrpc. */
export type Service = { desc: DescService; handlers: Record<string, LooseHandler | undefined> };

export function serve<Desc extends DescService>(desc: Desc, handlers: Handlers<Desc>): Service {
  return { desc, handlers: handlers as Service["handlers"] };
}

type GrpcOptions = {
  host: string;
  /** 0 takes a free port. */
  port: number;
  services: readonly Service[];
  log: Log;
  registry: Registry;
  /** Connections are ended gently at about this age, so that clients spread over new copies. Default 5 minutes. */
  maxConnectionAgeMs?: number;
  /** Whether grpcurl can ask what is served. Default true. */
  reflection?: boolean;
  /** Unset: plain. */
  tls?: GrpcTls | undefined;
};

export type GrpcServer = AsyncDisposable & { port: number; address: string };

const messageLimitBytes = 16 * 1024 * 1024;
const drainMs = 2_000;

/** Serves the services, health and reflection. Rejects if the port is taken. */
export async function startGrpc(options: GrpcOptions): Promise<GrpcServer> {
  const { host, port, services, log, registry, maxConnectionAgeMs = 300_000, reflection = true, tls } = options;
  const server = new grpc.Server({
    "grpc.max_receive_message_length": messageLimitBytes,
    "grpc.max_connection_age_ms": maxConnectionAgeMs,
    "grpc.max_connection_age_grace_ms": 30_000,
    "grpc.keepalive_time_ms": 20_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.enable_channelz": 0,
  });
  const health = createHealth(services.map(({ desc }) => desc.typeName));
  const stopping = new AbortController();
  const known = [...services, serve(Health, health.handlers)];
  const described = [...known.map(({ desc }) => desc), ServerReflection];
  const served = reflection ? [...known, serve(ServerReflection, createReflection(described))] : known;
  const durations = durationHistogram(registry);
  for (const { desc, handlers } of served) {
    const implementation = desc.methods.map((method) => {
      const run = guard({ method, handler: handlers[method.localName], log, durations, stopping: stopping.signal });
      return [method.localName, implement(method, run)] as const;
    });
    server.addService(definitionOf(desc), Object.fromEntries(implementation));
  }
  const name = host.includes(":") ? `[${host}]` : host;
  const listening =
    tls === undefined ? bindPlain(server, `${name}:${port}`) : listenWithTls(server, { host, port, tls });
  const listener = await listening.catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot listen on ${name}:${port} for gRPC: ${why}`, { cause: error });
  });
  return {
    port: listener.port,
    address: `${name}:${listener.port}`,
    async [Symbol.asyncDispose]() {
      health.stop();
      stopping.abort(new ServiceError("UNAVAILABLE", "stopping", "the server is stopping"));
      listener.stop();
      await shutDown(server);
      await listener[Symbol.asyncDispose]();
    },
  };
}

/** grpc-js waits for ever for a session that a client broke, as one does that speaks TLS to a plain port. */
function shutDown(server: grpc.Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, drainMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function bindPlain(server: grpc.Server, address: string): Promise<GrpcListener> {
  const credentials = grpc.ServerCredentials.createInsecure();
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve({ port, stop: () => undefined, [Symbol.asyncDispose]: () => Promise.resolve() });
      else reject(error);
    });
  });
}

type ClientMethod<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, options?: CallOptions) => AsyncIterable<MessageShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (requests: Responses<I>, options?: CallOptions) => Promise<MessageShape<O>>
        : never;

/** One method for each RPC (bidirectional streams are not offered). Every failure is a ServiceError. */
export type Client<Desc extends DescService> = AsyncDisposable & {
  [Name in keyof Desc["method"]]: ClientMethod<Desc["method"][Name]>;
};

type ClientOptions = {
  /** For unary and client-streaming calls that name none. */
  deadlineMs?: number;
  log?: Log;
  /** Unset: plain. */
  tls?: GrpcTls | undefined;
};

// One address of the resolved ones is taken at random and kept: servers spread load by ending old connections.
const clientChannelOptions: grpc.ChannelOptions = {
  "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ pick_first: { shuffleAddressList: true } }] }),
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_retries": 0,
  "grpc.enable_channelz": 0,
  "grpc.enable_http_proxy": 0,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.client_idle_timeout_ms": 60_000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2_000,
  "grpc.dns_min_time_between_resolutions_ms": 1_000,
  "grpc.max_receive_message_length": messageLimitBytes,
};

/** A client for `host:port`. Connects on the first call; an unreachable server answers UNAVAILABLE at once. */
export function createClient<Desc extends DescService>(
  desc: Desc,
  address: string,
  { deadlineMs = 5_000, log, tls }: ClientOptions = {},
): Client<Desc> {
  const credentials = tls?.credentials ?? grpc.credentials.createInsecure();
  const channel = new grpc.Client(address, credentials, { ...clientChannelOptions, ...tls?.channelOptions });
  const methods = desc.methods.map(
    (method) => [method.localName, clientMethod(channel, method, deadlineMs, log)] as const,
  );
  const close = (): Promise<void> => {
    channel.close();
    return Promise.resolve();
  };
  return { ...Object.fromEntries(methods), [Symbol.asyncDispose]: close } as Client<Desc>;
}
