// What became of an attempt, from what the wire showed. Tried again is only what is known not to have been taken: a closed list.
// Everything doubtful is unknown, and is never sent again by itself.
import type { Backoff } from "./backoff.ts";

/** An error object of the Graph API. */
export type GraphError = { code: number; subcode: number | undefined; title: string; message: string; details: string };

/** What the wire showed. `not_sent`: no byte of the request left. `lost`: some may have, and no whole answer came. */
export type Wire =
  | { kind: "not_sent"; cause: "not_connected" | "held_back" }
  | { kind: "lost"; cause: "timeout" | "cut" }
  /** `wamid` and `error` are absent where the body could not be read as such. */
  | { kind: "reply"; status: number; wamid: string | undefined; error: GraphError | undefined };

/** Whom a wait is about: this message (those behind it to the same recipient keep their order), or the whole number. */
export type Scope = "message" | "number";

export type Outcome =
  | { outcome: "taken"; wamid: string }
  | { outcome: "refused"; error: GraphError }
  /** `slower`: the number's pace drops too. */
  | { outcome: "wait"; reason: string; scope: Scope; backoff: Backoff; slower: boolean }
  /** Handed back at once: it was our own doing that it did not go. */
  | { outcome: "handed_back" }
  | { outcome: "unknown"; reason: string };

type WaitRule = { reason: string; scope: Scope; backoff: Backoff; slower?: boolean };

function seconds(firstS: number, factor: number, maxS: number): Backoff {
  return { firstMs: firstS * 1_000, factor, maxMs: maxS * 1_000 };
}

const notConnected: WaitRule = { reason: "upstream_unreachable", scope: "number", backoff: seconds(0.5, 2, 30) };
const callLimit = seconds(60, 2, 3_600);
const tokenRefused: WaitRule = { reason: "token_refused", scope: "number", backoff: seconds(30, 2, 300) };
const throttled: WaitRule = {
  reason: "throughput_reached",
  scope: "message",
  backoff: seconds(1, 2, 64),
  slower: true,
};

// By Meta's code, whatever the HTTP status: throttling came as 400 and as 429 [cloud-api §6.1].
const waits: ReadonlyMap<number, WaitRule> = new Map([
  [0, tokenRefused],
  [104, tokenRefused],
  [190, tokenRefused],
  [4, { reason: "app_call_limit", scope: "number", backoff: callLimit }],
  [17, { reason: "user_call_limit", scope: "number", backoff: callLimit }],
  [80_007, { reason: "account_call_limit", scope: "number", backoff: callLimit }],
  [130_429, throttled],
  [131_056, { reason: "pair_limit_reached", scope: "message", backoff: seconds(1, 4, 3_600) }],
  [131_057, { reason: "maintenance", scope: "number", backoff: seconds(5, 2, 60) }],
  [133_010, { reason: "number_not_registered", scope: "number", backoff: seconds(300, 2, 3_600) }],
  [134_101, { reason: "template_syncing", scope: "message", backoff: seconds(60, 2, 600) }],
]);

// WhatsApp's own words for "something went wrong": it may have gone wrong after the message was taken.
const doubtful: ReadonlySet<number> = new Set([1, 2, 131_000, 131_016]);

export function decideOutcome(wire: Wire): Outcome {
  switch (wire.kind) {
    case "not_sent":
      return wire.cause === "held_back" ? { outcome: "handed_back" } : toWait(notConnected);
    case "lost":
      return { outcome: "unknown", reason: wire.cause === "timeout" ? "upstream_timeout" : "connection_cut" };
    case "reply":
      return decideReply(wire.status, wire.wamid, wire.error);
  }
}

function decideReply(status: number, wamid: string | undefined, error: GraphError | undefined): Outcome {
  const isSuccess = status >= 200 && status < 300;
  if (isSuccess)
    return wamid === undefined ? { outcome: "unknown", reason: "answer_unreadable" } : { outcome: "taken", wamid };
  if (error === undefined) return status === 429 ? toWait(throttled) : { outcome: "unknown", reason: `http_${status}` };
  const rule = waits.get(error.code);
  if (rule !== undefined) return toWait(rule);
  if (doubtful.has(error.code) || status >= 500 || status < 400)
    return { outcome: "unknown", reason: `upstream_error_${error.code}` };
  return { outcome: "refused", error };
}

function toWait({ reason, scope, backoff, slower = false }: WaitRule): Outcome {
  return { outcome: "wait", reason, scope, backoff, slower };
}
