// The API port: Graph and /admin over plain node:http. Faults that meet a Graph request are acted out here, on its socket.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { readBody } from "./body.ts";
import type { ApiFault } from "./domain/fault.ts";
import { graphErrorBody } from "./domain/graph-error.ts";
import { type AdminReply, answerAdmin } from "./routes/admin.ts";
import { answerGraph, defaultVersion, type GraphRequest, toHttp } from "./routes/graph.ts";
import type { Simulation } from "./simulation.ts";

type ApiOptions = { sim: Simulation; host: string; port: number };

export type ApiServer = AsyncDisposable & { port: number; url: string };

/** Rejects with EADDRINUSE. */
export async function startApi({ sim, host, port }: ApiOptions): Promise<ApiServer> {
  const server = createServer((request, response) => {
    answer(sim, request, response).catch((error: unknown) => {
      if (request.destroyed && !request.complete) return;
      sim.log.error({ err: error, method: request.method }, "request failed");
      if (!response.headersSent) writeJson(response, 500, JSON.stringify({ error: "internal error" }));
    });
  });
  // Longer than any client keeps an idle connection, so that a pooled one is never closed under a request.
  server.keepAliveTimeout = 300_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const bound = portOf(server, port);
  return {
    port: bound,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function portOf(server: Server, asked: number): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : asked;
}

async function answer(sim: Simulation, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { url = "/", method = "GET" } = request;
  const mark = url.indexOf("?");
  const path = mark === -1 ? url : url.slice(0, mark);
  const query = new URLSearchParams(mark === -1 ? "" : url.slice(mark + 1));
  const admin = path === "/admin" || path.startsWith("/admin/");
  const body = await readBody(request, { forms: !admin });
  if (body.kind !== "value") {
    const status = body.kind === "too_large" ? 413 : 400;
    const details = body.kind === "too_large" ? "body is too large" : "body is not valid JSON";
    const error = admin ? { error: details } : graphErrorBody({ code: 100, details }, sim.nextTraceId());
    return writeJson(response, status, JSON.stringify(error));
  }
  if (admin) {
    const segments = path.split("/").slice(2).map(decode);
    return writeAdmin(response, answerAdmin(sim, { method, segments, query, body: body.value }));
  }
  await serveGraph(sim, request, response, toGraphRequest(request, method, path, query, body.value));
}

/** A segment of the path; as it stands if it is not properly encoded. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function toGraphRequest(
  { headers }: IncomingMessage,
  method: string,
  path: string,
  query: URLSearchParams,
  body: unknown,
): GraphRequest {
  const segments = path.split("/");
  const version = /^v(\d+)\.\d+$/.exec(segments[1] ?? "")?.[1];
  const node = version === undefined ? 1 : 2;
  return {
    method,
    path,
    version: version === undefined ? defaultVersion : Number(version),
    nodeId: segments[node] ?? "",
    edge: segments.slice(node + 1).join("/"),
    query,
    body,
    authorization: headers.authorization,
    origin: `http://${headers.host ?? "localhost"}`,
  };
}

async function serveGraph(
  sim: Simulation,
  request: IncomingMessage,
  response: ServerResponse,
  graph: GraphRequest,
): Promise<void> {
  const fault = sim.faults.takeApi({ phoneNumberId: graph.nodeId, to: recipientOf(graph.body), path: graph.path });
  const reply = fault?.accepted === false ? undefined : toHttp(sim, await answerGraph(sim, graph));
  await pause(sim, sim.settings.latencyMs + (fault?.kind === "slow" ? fault.ms : 0));
  if (fault !== undefined && fault.kind !== "slow") return actOut(sim, fault, request, response, reply?.body ?? "");
  if (reply === undefined) return;
  sim.metrics.graphRequests.inc({ status: reply.status });
  writeGraph(response, reply.status, reply.body);
}

function recipientOf(body: unknown): string {
  if (typeof body !== "object" || body === null || !("to" in body)) return "";
  return String(body.to).replace(/\D/g, "");
}

function pause({ scheduler, now }: Simulation, ms: number): Promise<void> | undefined {
  return ms === 0 ? undefined : new Promise((resolve) => scheduler.at(now() + ms, resolve));
}

type Unanswered = Exclude<ApiFault, { kind: "slow" }>;

function actOut(
  sim: Simulation,
  fault: Unanswered,
  request: IncomingMessage,
  response: ServerResponse,
  body: string,
): void {
  sim.metrics.graphRequests.inc({ status: fault.kind === "status" ? fault.status : "cut" });
  switch (fault.kind) {
    case "status": {
      const error = graphErrorBody({ code: fault.code, details: `fault ${fault.id}` }, sim.nextTraceId());
      return writeGraph(response, fault.status, JSON.stringify(error));
    }
    case "cut_before":
    case "cut_after":
      request.socket.destroy();
      return;
    case "hang":
      return;
    case "garbage":
      response.writeHead(200, { "content-type": "text/html" }).end("<html><body>Sorry, something went wrong.</body>");
      return;
    case "reset_mid_answer": {
      const whole = body === "" ? "{}" : body;
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(whole) });
      response.write(whole.slice(0, whole.length / 2), () => request.socket.resetAndDestroy());
    }
  }
}

function writeGraph(response: ServerResponse, status: number, body: string): void {
  response
    .writeHead(status, {
      "content-type": "application/json; charset=UTF-8",
      "content-length": Buffer.byteLength(body),
      "facebook-api-version": `v${defaultVersion}.0`,
    })
    .end(body);
}

function writeJson(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/json; charset=UTF-8" }).end(body);
}

function writeAdmin(response: ServerResponse, reply: AdminReply): void {
  if ("body" in reply) return writeJson(response, reply.status, `${JSON.stringify(reply.body)}\n`);
  response.writeHead(reply.status, { "content-type": "application/json; charset=UTF-8" });
  Readable.from(reply.chunks).pipe(response);
}
