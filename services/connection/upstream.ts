// HTTP to the Graph API over kept-alive connections. Nothing is repeated here, and it is known of every request whether it left.
import { type Dispatcher, Pool } from "undici";
import { faultPoint } from "#lib/fault-points.ts";
import type { Config } from "./config.ts";
import type { Token } from "./token.ts";

/** What the wire showed. `not_sent`: no byte of the request left. `lost`: some may have, and no whole answer came. */
export type Answer =
  | { kind: "not_sent"; cause: "not_connected" | "held_back"; error: unknown }
  | { kind: "lost"; cause: "timeout" | "cut"; error: unknown }
  /** `usage`: WhatsApp's header on the call limits, where it came. */
  | { kind: "reply"; status: number; text: string; usage?: string | undefined };

type Request = {
  method: "GET" | "POST" | "DELETE";
  /** After the version, without a leading slash. */
  path: string;
  query?: Record<string, string>;
  body?: unknown;
  /** Asked on a connected socket, right before the first byte is written; false holds the request back. */
  gate?: () => boolean;
  /** Ends the request: held back if it has not left, else lost. */
  signal?: AbortSignal;
};

export type Upstream = AsyncDisposable & { request(request: Request): Promise<Answer> };

type Options = { config: Config; token: Token };

// A connection that the other side closes at the moment of sending makes an unknown outcome, so idle ones are closed early.
const keepAliveMs = 10_000;
const keepAliveThresholdMs = 2_000;
const answerLimitBytes = 8 * 1024 * 1024;

export function createUpstream({ config, token }: Options): Upstream {
  const { origin, pathname } = new URL(config.UPSTREAM_URL);
  const base = `${pathname.replace(/\/$/, "")}/${config.UPSTREAM_VERSION}/`;
  const pool = new Pool(origin, {
    connections: config.IN_FLIGHT_LIMIT,
    pipelining: 1,
    allowH2: false,
    connectTimeout: config.UPSTREAM_CONNECT_TIMEOUT_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: keepAliveMs,
    keepAliveTimeoutThreshold: keepAliveThresholdMs,
  });

  function request({ method, path, query, body, gate, signal }: Request): Promise<Answer> {
    const options: Dispatcher.DispatchOptions = {
      origin,
      method,
      path: `${base}${path}`,
      headers: {
        authorization: `Bearer ${token.current()}`,
        accept: "application/json",
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      ...(query !== undefined && { query }),
    };
    return new Promise((resolve) => {
      const exchange = createExchange(gate, resolve);
      const timer = setTimeout(() => exchange.end("timeout"), config.UPSTREAM_TIMEOUT_MS);
      const abort = (): void => exchange.end("aborted");
      signal?.addEventListener("abort", abort, { once: true });
      exchange.onEnd(() => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
      });
      if (signal?.aborted) abort();
      else pool.dispatch(options, exchange.handler);
    });
  }

  return { request, [Symbol.asyncDispose]: () => pool.destroy() };
}

type Exchange = {
  handler: Dispatcher.DispatchHandler;
  end(why: "timeout" | "aborted"): void;
  onEnd(fn: () => void): void;
};

/** One request and its answer. The first end counts; what comes later is dropped. */
function createExchange(gate: (() => boolean) | undefined, resolve: (answer: Answer) => void): Exchange {
  let controller: Dispatcher.DispatchController | undefined;
  let isEnded = false;
  let cleanUp = (): void => undefined;
  let head = toHead(0, {});
  let size = 0;
  const chunks: Buffer[] = [];

  function finish(answer: Answer): void {
    if (isEnded) return;
    isEnded = true;
    cleanUp();
    resolve(answer);
  }

  return {
    handler: {
      onRequestStart(started) {
        // A second start would be a request sent twice.
        if (controller !== undefined) throw new Error("request was already sent");
        if (isEnded || gate?.() === false) {
          const error = new Error("request was held back");
          finish({ kind: "not_sent", cause: "held_back", error });
          throw error;
        }
        controller = started;
      },
      onRequestSent() {
        faultPoint("send.request.sent");
      },
      onResponseStart(_, statusCode, headers) {
        head = toHead(statusCode, headers);
        faultPoint("send.answer.begins");
      },
      onResponseData(current, chunk) {
        size += chunk.length;
        if (size > answerLimitBytes) current.abort(new Error(`answer is larger than ${answerLimitBytes} bytes`));
        else chunks.push(chunk);
      },
      onResponseEnd() {
        finish({ kind: "reply", ...head, text: Buffer.concat(chunks).toString("utf8") });
      },
      onResponseError(_, error) {
        if (controller === undefined) finish({ kind: "not_sent", cause: "not_connected", error });
        else finish({ kind: "lost", cause: "cut", error });
      },
    },
    end(why) {
      const error = new Error(`request ${why === "timeout" ? "took too long" : "was ended"}`);
      if (controller === undefined)
        finish({ kind: "not_sent", cause: why === "timeout" ? "not_connected" : "held_back", error });
      else finish({ kind: "lost", cause: why === "timeout" ? "timeout" : "cut", error });
      controller?.abort(error);
    },
    onEnd(fn) {
      cleanUp = fn;
    },
  };
}

function toHead(status: number, headers: Readonly<Record<string, string | string[] | undefined>>) {
  const usage = headers["x-business-use-case-usage"];
  return { status, usage: typeof usage === "string" ? usage : usage?.join(",") };
}
