// Requests to the API server: authorized, bounded in time and number, slowed down when the server asks for it.
import { Agent, type Dispatcher } from "undici";
import { ApiError, toApiError } from "./api-error.ts";
import type { Cluster } from "./cluster.ts";
import { limiter } from "./limiter.ts";
import type { RuntimeMetrics } from "./metrics.ts";

export type ApiRequest = {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  /** Sent as JSON. */
  body?: unknown;
  /** application/json unless told. */
  contentType?: string;
  /** Of the whole request, waiting for a turn and for Retry-After included. 10 s unless told. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
};

export type Transport = AsyncDisposable & {
  /** The answer's JSON. Throws ApiError, also when the signal aborts. */
  send(request: ApiRequest): Promise<unknown>;
  /** The answer's bytes as they come. `timeoutMs` bounds the time to the answer's head only; the signal ends the stream. */
  open(request: ApiRequest): Promise<AsyncIterable<Uint8Array>>;
};

type TransportOptions = {
  cluster: Cluster;
  metrics: RuntimeMetrics;
  /** Ends every request. */
  signal: AbortSignal;
  /** Watches not counted. */
  mostInFlight?: number;
};

const defaultTimeoutMs = 10_000;
const connectMs = 5_000;
const shortestRetryAfterMs = 100;
const longestRetryAfterMs = 30_000;

export function createTransport({ cluster, metrics, signal, mostInFlight = 64 }: TransportOptions): Transport {
  // HTTP/1.1: one broken connection is one broken request, and a slow watch holds up nothing else.
  const agent = new Agent({
    allowH2: false,
    connect: { ...cluster.tls, timeout: connectMs },
    keepAliveTimeout: 30_000,
  });
  const attempt = (request: ApiRequest, ending: AbortSignal): Promise<Dispatcher.ResponseData> =>
    attemptOnce(request, { agent, cluster, metrics, ending });
  const turns = limiter(mostInFlight);

  async function sendUntilTaken(request: ApiRequest, ending: AbortSignal): Promise<unknown> {
    for (;;) {
      const leave = await turns.enter(ending);
      let error: ApiError;
      try {
        const answer = await attempt(request, ending);
        if (answer.statusCode < 300) return await answer.body.json();
        error = await errorOf(answer, request);
      } finally {
        leave();
      }
      // The server says that it did not begin with it, so that even a write may go again.
      if (error.retryAfterMs === undefined) throw error;
      await sleepFor(error.retryAfterMs * (1 + Math.random() / 4), ending, error);
    }
  }

  return {
    async send(request) {
      using limit = timeLimit([signal, request.signal], request.timeoutMs ?? defaultTimeoutMs);
      try {
        return await sendUntilTaken(request, limit.signal);
      } catch (error) {
        throw explain(error, request, limit.signal);
      }
    },
    async open(request) {
      const limit = timeLimit([signal, request.signal], request.timeoutMs ?? defaultTimeoutMs);
      try {
        const answer = await attempt(request, limit.signal);
        if (answer.statusCode >= 300) throw await errorOf(answer, request);
        limit.lift();
        return untilEnd(answer.body, limit);
      } catch (error) {
        limit[Symbol.dispose]();
        throw explain(error, request, limit.signal);
      }
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}

type Attempt = { agent: Agent; cluster: Cluster; metrics: RuntimeMetrics; ending: AbortSignal };

async function attemptOnce(request: ApiRequest, { agent, cluster, metrics, ending }: Attempt) {
  const { method, path, query, body } = request;
  const { origin, pathname } = new URL(cluster.url);
  const authorization = await cluster.authorization.header(Date.now());
  try {
    const answer = await agent.request({
      origin,
      path: (pathname === "/" ? "" : pathname) + path + queryOf(query),
      method,
      headers: headersOf(request, authorization),
      body: body === undefined ? null : JSON.stringify(body),
      signal: ending,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    metrics.requests.inc({ method, code: answer.statusCode });
    if (answer.statusCode === 401) cluster.authorization.refused();
    return answer;
  } catch (error) {
    metrics.requests.inc({ method, code: "<error>" });
    throw error;
  }
}

async function* untilEnd(body: AsyncIterable<Uint8Array>, limit: Disposable): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } finally {
    limit[Symbol.dispose]();
  }
}

function headersOf({ body, contentType = "application/json" }: ApiRequest, authorization: string | undefined) {
  return {
    accept: "application/json",
    ...(body !== undefined && { "content-type": contentType }),
    ...(authorization !== undefined && { authorization }),
  };
}

function queryOf(query: ApiRequest["query"] = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return search.size === 0 ? "" : `?${search.toString()}`;
}

async function errorOf({ statusCode, headers, body }: Dispatcher.ResponseData, request: ApiRequest): Promise<ApiError> {
  const text = await body.text();
  const seconds = Number(headers["retry-after"]);
  const mayRetry = (statusCode === 429 || statusCode === 503) && Number.isFinite(seconds);
  const retryAfterMs = mayRetry
    ? Math.min(longestRetryAfterMs, Math.max(shortestRetryAfterMs, seconds * 1_000))
    : undefined;
  return toApiError(statusCode, parseOrNothing(text), `${request.method} ${request.path}`, retryAfterMs);
}

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Rejects with `otherwise` if the signal aborts meanwhile. */
function sleepFor(ms: number, signal: AbortSignal, otherwise: ApiError): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(otherwise);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}

function explain(error: unknown, { method, path }: ApiRequest, ending: AbortSignal): ApiError {
  if (error instanceof ApiError) return error;
  const request = `${method} ${path}`;
  if (ending.reason instanceof ApiError)
    return new ApiError(0, ending.reason.reason, `${request}: ${ending.reason.message}`);
  if (ending.aborted) return new ApiError(0, "Aborted", `${request}: aborted`);
  const why = error instanceof Error ? error.message : String(error);
  return new ApiError(0, "Unreachable", `${request}: ${why}`, { cause: error });
}

type TimeLimit = Disposable & {
  signal: AbortSignal;
  /** No longer by time; the other signals still count. */
  lift(): void;
};

/** AbortSignal.any with a timer, but leaving nothing behind on signals that live as long as the process. */
function timeLimit(signals: readonly (AbortSignal | undefined)[], ms: number): TimeLimit {
  const own = new AbortController();
  const timer = setTimeout(() => own.abort(new ApiError(0, "Timeout", `no answer within ${ms} ms`)), ms);
  const stop = (): void => own.abort();
  for (const signal of signals) {
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  }
  return {
    signal: own.signal,
    lift: () => clearTimeout(timer),
    [Symbol.dispose]() {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener("abort", stop);
    },
  };
}
