// Runs commands against peers that are scripted, but spoken to for real: gRPC servers and an HTTP gateway.
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type Handlers, serve, startGrpc } from "#lib/grpc.ts";
import { createRegistry } from "#lib/http.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { QualityService } from "#proto/heliograph/quality/v1/quality_pb.ts";
import { testLog } from "#test/env/log.ts";
import { runCli } from "./start.ts";

export type Ran = { code: number; out: string; err: string };

export const now = new Date("2026-11-23T12:00:00Z");

/** A command in this process; nothing of the caller's environment reaches it. */
export async function run(args: string[], env: Record<string, string> = {}): Promise<Ran> {
  const running = start(args, env);
  return { code: await running.code, out: running.out(), err: running.err() };
}

/** One that ends by itself, or when it is interrupted. */
export function start(args: string[], env: Record<string, string> = {}) {
  const lines = { out: [] as string[], err: [] as string[] };
  const stopping = new AbortController();
  const code = runCli({
    args,
    env: { HELIOGRAPH_DATA: "/nonexistent", ...env },
    now: () => now,
    signal: stopping.signal,
    out: (line) => lines.out.push(line),
    err: (line) => lines.err.push(line),
  });
  return {
    code,
    out: () => lines.out.join("\n"),
    err: () => lines.err.join("\n"),
    interrupt: () => stopping.abort("SIGINT"),
  };
}

type Peers = { messages?: Handlers<typeof MessagesService>; quality?: Handlers<typeof QualityService> };

/** Both services on one port, as `env` for run. */
export async function startPeers({ messages = {}, quality = {} }: Peers) {
  const server = await startGrpc({
    host: "127.0.0.1",
    port: 0,
    services: [serve(MessagesService, messages), serve(QualityService, quality)],
    log: testLog,
    registry: createRegistry("peers"),
    reflection: false,
  });
  return {
    env: { MESSAGES_ADDRESS: server.address, QUALITY_ADDRESS: server.address },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export type Received = { method: string; path: string; headers: IncomingHttpHeaders; body: unknown };
/** `cut` ends the connection without an answer. */
export type Answer = { status: number; body: unknown } | "cut";

/** A gateway that answers as `answer` says and keeps what it was asked. */
export async function startGateway(answer: (request: Received) => Answer) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method = "", url = "", headers } = request;
      const one = { method, path: url, headers, body: body === "" ? undefined : (JSON.parse(body) as unknown) };
      received.push(one);
      const answered = answer(one);
      if (answered === "cut") return request.destroy();
      response.writeHead(answered.status, { "content-type": "application/json" }).end(JSON.stringify(answered.body));
      return undefined;
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const folder = mkdtempSync(join(tmpdir(), "heliograph-cli-"));
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, "secret-token\n");
  return {
    received,
    env: { GATEWAY_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, API_TOKEN_FILE: tokenFile },
    async [Symbol.asyncDispose]() {
      rmSync(folder, { recursive: true });
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
