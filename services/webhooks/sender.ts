// One POST to a customer's URL: signed, bounded in time and in what is read of the answer, never redirected.
import { Agent, request } from "undici";
import { sign, signStandard } from "#dialects/signature.ts";
import { type Outcome, parseRetryAfter } from "./domain/retry.ts";

type Post = {
  url: string;
  /** Newest first; none: not signed. */
  secrets: readonly string[];
  eventId: string;
  attempt: number;
  body: Buffer;
  /** For the whole exchange, from the look-up of the name to the end of the answer. */
  timeoutMs: number;
};

export type Sender = AsyncDisposable & {
  /** Never rejects: whatever goes wrong is an outcome. */
  send(post: Post): Promise<Outcome>;
  /** Ends what is under way; it counts as failed. */
  abort(): void;
};

const responseLimitBytes = 16 * 1_024;
const idleConnectionMs = 30_000;

/** One pool of kept connections per origin. HTTP/1.1, as Meta's own webhooks; HTTP/2 would put an endpoint's posts on one connection. */
export function createSender({ version, now }: { version: string; now: () => Date }): Sender {
  // The deadline of each exchange stands for undici's own. Its limit on connecting stays: an aborted request leaves that running.
  const agent = new Agent({ allowH2: false, keepAliveTimeout: idleConnectionMs, headersTimeout: 0, bodyTimeout: 0 });
  const underWay = new Set<AbortController>();
  const userAgent = `heliograph/${version}`;

  async function exchange(post: Post, signal: AbortSignal): Promise<Outcome> {
    const response = await request(post.url, {
      dispatcher: agent,
      method: "POST",
      headers: headersOf(post, userAgent, now()),
      body: post.body,
      signal,
    });
    const { statusCode: status, headers } = response;
    // The status is the answer; what follows it is read so that the connection can be kept, and dropped.
    await response.body.dump({ limit: responseLimitBytes, signal }).catch(() => undefined);
    if (status >= 200 && status <= 299) return { kind: "delivered" };
    const retryAfter = headers["retry-after"];
    const retryAfterMs = parseRetryAfter(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, now());
    return { kind: "failed", failure: { reason: `HTTP ${status}`, status, timedOut: false, retryAfterMs } };
  }

  return {
    async send(post) {
      const controller = new AbortController();
      let timedOut = false;
      const timer = setTimeout(() => {
        timedOut = true;
        controller.abort();
      }, post.timeoutMs);
      underWay.add(controller);
      try {
        return await exchange(post, controller.signal);
      } catch (error) {
        const reason = timedOut ? `no answer within ${post.timeoutMs} ms` : reasonOf(error);
        return { kind: "failed", failure: { reason, status: undefined, timedOut, retryAfterMs: undefined } };
      } finally {
        clearTimeout(timer);
        underWay.delete(controller);
      }
    },
    abort() {
      for (const controller of underWay) controller.abort();
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}

/** One header has room for the newest secret alone, the other for each. */
function headersOf({ secrets, eventId, attempt, body }: Post, userAgent: string, now: Date): Record<string, string> {
  // Without dots, as Standard Webhooks wants an id that stands in signed text.
  const id = eventId.replaceAll(".", "-");
  const timestamp = String(Math.floor(now.getTime() / 1_000));
  const [newest] = secrets;
  return {
    "content-type": "application/json",
    "user-agent": userAgent,
    // The same for every attempt.
    "webhook-id": id,
    "heliograph-attempt": String(attempt),
    ...(newest !== undefined && {
      "x-hub-signature-256": sign(newest, body),
      "webhook-timestamp": timestamp,
      "webhook-signature": signStandard(secrets, { id, timestamp }, body),
    }),
  };
}

const reasonLimit = 200;

/** The network's word for it: its code, else its message, cut short and without what Postgres cannot store. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "failed for an unknown reason";
  if (error.name === "AbortError") return "ended with the process that sent it";
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const words = code === undefined || code.startsWith("UND_ERR") ? error.message : code;
  return words.replaceAll("\0", "").slice(0, reasonLimit);
}
