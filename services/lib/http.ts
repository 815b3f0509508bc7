// The operational HTTP port of every process: liveness, readiness and metrics. Not for customers.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { collectDefaultMetrics, Registry } from "prom-client";
import type { Log } from "./log.ts";

type Checks = Record<string, () => boolean | Promise<boolean>>;

type HttpOptions = {
  host: string;
  /** 0 takes a free port. */
  port: number;
  registry: Registry;
  /** Each is asked on every /readyz; a throw or more than a second counts as false. */
  checks: Checks;
  /** Each is asked on every /healthz, in the same way: false is for what only a restart can mend. */
  liveness?: Checks;
  log: Log;
};

export type HttpServer = AsyncDisposable & { port: number; url: string };

const checkTimeoutMs = 1_000;

/**
 * GET /healthz (the event loop turns, and every liveness check), /readyz (every check) and /metrics; 503 where a check fails.
 * Rejects with EADDRINUSE.
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { host, port, log } = options;
  const server = createServer((request, response) => {
    answer(request, response, options).catch((error: unknown) => {
      log.error({ err: error, path: request.url }, "operational request failed");
      if (!response.headersSent) send(response, 500, "text/plain", "internal error\n");
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
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

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { registry, checks, liveness }: HttpOptions,
): Promise<void> {
  switch (request.url) {
    case "/healthz":
      return liveness === undefined
        ? send(response, 200, "text/plain", "ok\n")
        : await sendChecks(response, "alive", liveness);
    case "/readyz":
      return await sendChecks(response, "ready", checks);
    case "/metrics":
      return send(response, 200, registry.contentType, await registry.metrics());
    default:
      return send(response, 404, "text/plain", "not found\n");
  }
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": type }).end(body);
}

async function sendChecks(response: ServerResponse, word: "alive" | "ready", checks: Checks): Promise<void> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await passes(check)] as const),
  );
  const isGood = results.every(([, ok]) => ok);
  const body = JSON.stringify({ [word]: isGood, checks: Object.fromEntries(results) });
  send(response, isGood ? 200 : 503, "application/json", body);
}

async function passes(check: () => boolean | Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), checkTimeoutMs);
  });
  try {
    return await Promise.race([check(), timeout]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

const costlyDefaults = [
  "nodejs_gc_duration_seconds",
  "nodejs_heap_space_size_total_bytes",
  "nodejs_heap_space_size_used_bytes",
  "nodejs_heap_space_size_available_bytes",
  "nodejs_active_resources",
  "nodejs_active_handles",
  "nodejs_active_requests",
];

/** A registry with the usual process metrics, event loop lag among them, kept under 25 series: there is one of it per number. */
export function createRegistry(service: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  // The lag sampler wakes the process at this interval (ms), also when idle: 5,000 idle processes should sleep.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 50 });
  for (const name of costlyDefaults) registry.removeSingleMetric(name);
  return registry;
}
