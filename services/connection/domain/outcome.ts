// What became of an attempt, from what the wire showed. Tried again is only what is known not to have been taken: a closed list.
// Everything doubtful is unknown, and is never sent again by itself.
import type { Backoff } from "./backoff.ts";
import type { StandingEvent } from "./standing.ts";

/** An error object of the Graph API. */
export type GraphError = { code: number; subcode: number | undefined; title: string; message: string; details: string };

/** What the wire showed. `not_sent`: no byte of the request left. `lost`: some may have, and no whole answer came. */
export type Wire =
  | { kind: "not_sent"; cause: "not_connected" | "held_back" }
  | { kind: "lost"; cause: "timeout" | "cut" }
  | Reply;

/** `wamid` and `error` are absent where the body could not be read as such, `regainMs` where no estimate of a call limit came. */
type Reply = {
  kind: "reply";
  status: number;
  wamid: string | undefined;
  error: GraphError | undefined;
  regainMs?: number | undefined;
};

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

/** `estimated`: where WhatsApp says how long, that counts instead of the backoff. */
type WaitRule = { reason: string; scope: Scope; backoff: Backoff; slower?: boolean; estimated?: boolean };

function seconds(firstS: number, factor: number, maxS: number): Backoff {
  return { firstMs: firstS * 1_000, factor, maxMs: maxS * 1_000 };
}

const notConnected: WaitRule = { reason: "upstream_unreachable", scope: "number", backoff: seconds(0.5, 2, 30) };
const callLimit = { scope: "number", backoff: seconds(60, 2, 3_600), estimated: true } as const;
// The quotas are of hours and at most a day: an estimate above that is a fault of its own.
const longestRegainMs = 24 * 60 * 60 * 1_000;
const tokenRefused: WaitRule = { reason: "token_refused", scope: "number", backoff: seconds(30, 2, 300) };
// It was never registered, or another client has it: sending on would evict that one, and it us.
const notRegistered: WaitRule = {
  reason: "number_not_registered",
  scope: "number",
  backoff: seconds(300, 2, 3_600),
};
const migrated: WaitRule = { ...notRegistered, reason: "number_migrated" };
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
  [4, { reason: "app_call_limit", ...callLimit }],
  [17, { reason: "user_call_limit", ...callLimit }],
  [80_007, { reason: "account_call_limit", ...callLimit }],
  [130_429, throttled],
  [131_056, { reason: "pair_limit_reached", scope: "message", backoff: seconds(1, 4, 3_600) }],
  [131_057, { reason: "maintenance", scope: "number", backoff: seconds(5, 2, 60) }],
  [133_010, notRegistered],
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
      return decideReply(wire);
  }
}

function decideReply({ status, wamid, error, regainMs }: Reply): Outcome {
  const isSuccess = status >= 200 && status < 300;
  if (isSuccess)
    return wamid === undefined ? { outcome: "unknown", reason: "answer_unreadable" } : { outcome: "taken", wamid };
  const rule = error === undefined ? undefined : waits.get(error.code);
  if (rule !== undefined) return toWait(rule, regainMs);
  if (status === 429) return toWait(throttled);
  if (error === undefined) return { outcome: "unknown", reason: `http_${status}` };
  if (doubtful.has(error.code) || status >= 500 || status < 400)
    return { outcome: "unknown", reason: `upstream_error_${error.code}` };
  return { outcome: "refused", error };
}

function toWait(rule: WaitRule, regainMs = 0): Outcome {
  const { reason, scope, slower = false, estimated = false } = rule;
  const regain = Math.min(regainMs, longestRegainMs);
  const backoff = estimated && regain > 0 ? { firstMs: regain, factor: 1, maxMs: regain } : rule.backoff;
  return { outcome: "wait", reason, scope, backoff, slower };
}

/** What an outcome says of the number as a whole; undefined: nothing, as it was our own doing. */
export function toStandingEvent(outcome: Outcome): StandingEvent | undefined {
  switch (outcome.outcome) {
    case "handed_back":
      return undefined;
    case "unknown":
      return { event: "lost" };
    case "wait": {
      const { reason, scope, backoff } = outcome;
      return scope === "number" ? { event: "trouble", reason, backoff } : { event: "answer" };
    }
    case "taken":
      return { event: "taken" };
    case "refused":
      return { event: "answer" };
  }
}

/**
 * What came of reading the number itself: Meta's words where it could be read (empty where absent), else what the wire showed.
 * `registered`, `deregistered`: it was just done through this process.
 */
export type Look =
  | { kind: "read"; status: string; platformType: string; throughputLevel: string }
  | { kind: "registered" }
  | { kind: "deregistered" }
  | Wire;

// Of a number that cannot send from here until it is registered.
const unregistered: ReadonlySet<string> = new Set(["PENDING", "DISCONNECTED", "DELETED", "UNVERIFIED"]);
// Of one that is registered, whatever else is wrong with it.
const registered: ReadonlySet<string> = new Set(["CONNECTED", "FLAGGED", "RESTRICTED", "RATE_LIMITED"]);

// A number on the On-Premises API reads CONNECTED, there: from here it cannot send until it is registered.
const otherPlatform = "ON_PREMISE";

/** What a look says of the number's standing, when no message is there to show it. */
export function decideLook(look: Look): StandingEvent | undefined {
  switch (look.kind) {
    case "read":
      return decideStatus(look.platformType === otherPlatform ? "DISCONNECTED" : look.status);
    case "registered":
      return { event: "registered_here" };
    case "deregistered": {
      const { reason, backoff } = notRegistered;
      return { event: "deregistered", reason, backoff };
    }
    default:
      return toStandingEvent(decideOutcome(look));
  }
}

/** A word that says nothing of the registration, or one of tomorrow, is an answer and no more. */
function decideStatus(status: string): StandingEvent {
  if (registered.has(status)) return { event: "registered" };
  if (status !== "MIGRATED" && !unregistered.has(status)) return { event: "answer" };
  const { reason, backoff } = status === "MIGRATED" ? migrated : notRegistered;
  return { event: "trouble", reason, backoff, inStatus: true };
}
