// The HTTP server that clients and Meta see: request ids, the limit of work in flight, raw bodies, errors in Meta's shape,
// one measurement and one log line a request. Routes are added by routes/*.ts.
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { ServiceError } from "#lib/errors.ts";
import type { Log } from "#lib/log.ts";
import { createInFlight } from "./domain/in-flight.ts";
import { cloudFault, toCloudAnswer } from "./errors.ts";
import type { Metrics } from "./metrics.ts";

type Options = {
  log: Log;
  metrics: Metrics;
  /** Of routes that name none. */
  bodyLimitBytes: number;
  limit: { requests: number; bytes: number };
};

export function createApp({ log, metrics, bodyLimitBytes, limit }: Options): FastifyInstance {
  const answerError = (error: unknown, request: FastifyRequest, reply: FastifyReply): void =>
    sendError(error, request, reply, log);
  const app = fastify({
    bodyLimit: bodyLimitBytes,
    exposeHeadRoutes: false,
    frameworkErrors: answerError,
    genReqId: requestId,
    // A client that sends its request by drops may hold a connection that long.
    requestTimeout: 30_000,
    // While stopping, what still comes over open connections is answered as usual, not in fastify's words.
    return503OnClosing: false,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((request, reply) =>
    answerError(cloudFault("route_unknown", `${request.method} is not offered on this path`), request, reply),
  );
  limitInFlight(app, metrics, limit);
  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "none";
    const seconds = reply.elapsedTime / 1_000;
    metrics.requests.observe({ route, status: reply.statusCode }, seconds);
    log.debug({ requestId: request.id, method: request.method, route, status: reply.statusCode, seconds }, "request");
  });
  return app;
}

const drainMs = 5_000;

/** Lets requests in work end; who still sends its body by drops after 5 s is cut off. */
export async function closeApp(app: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), drainMs);
  await app.close();
  clearTimeout(timer);
}

/** The client's own, if it is harmless in logs and headers. It is also the fbtrace_id of errors. */
function requestId({ headers }: Pick<IncomingMessage, "headers">): string {
  const given = headers["x-request-id"];
  if (typeof given === "string" && /^[\w.:-]{1,128}$/.test(given)) return given;
  return `A${randomBytes(15).toString("base64url")}`;
}

/** A request counts from its head until its answer is made, also when the client has gone: its handler still runs. */
function limitInFlight(app: FastifyInstance, metrics: Metrics, limit: Options["limit"]): void {
  const inFlight = createInFlight(limit);
  const taken = new WeakMap<FastifyRequest, number>();
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    const bytes = bodyBytes(request);
    if (!inFlight.take(bytes)) {
      metrics.overloaded.inc();
      throw cloudFault("overloaded", "too many requests are in work");
    }
    taken.set(request, bytes);
    metrics.inFlight.set(inFlight.requests);
  });
  app.addHook("onSend", async (request) => {
    const bytes = taken.get(request);
    if (bytes === undefined) return;
    taken.delete(request);
    inFlight.release(bytes);
    metrics.inFlight.set(inFlight.requests);
  });
}

/** The most that the body can take; a body that is too large is refused before it is read. */
function bodyBytes({ headers, routeOptions }: FastifyRequest): number {
  const limit = routeOptions.bodyLimit ?? 0;
  const length = headers["content-length"];
  if (length !== undefined) return Math.min(Number(length) || 0, limit);
  return headers["transfer-encoding"] === undefined ? 0 : limit;
}

function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): void {
  const { status, body, retryAfterSeconds } = toCloudAnswer(error, request.id, request.routeOptions.bodyLimit);
  // Requests refused for their number are counted; a line for each would add to the load.
  if (status >= 500 && !(error instanceof ServiceError && error.reason === "overloaded")) {
    const fields = {
      err: error,
      requestId: request.id,
      route: request.routeOptions.url,
      status,
      code: body.error.code,
    };
    log.warn(fields, "request failed");
  }
  if (retryAfterSeconds !== undefined) reply.header("retry-after", retryAfterSeconds);
  void reply.header("x-request-id", request.id).code(status).send(body);
}
