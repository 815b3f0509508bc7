// The life of an outbound message: every transition is `next`, and what it says to the customer is its news.
// A row's own times are the check for repeats: what they already tell changes nothing.
//
// | state            | event                               | becomes  | news                          |
// | ---------------- | ----------------------------------- | -------- | ----------------------------- |
// | accepted waiting | begin, next attempt, not too late   | sending  |                               |
// | sending          | begin, same term and attempt        | sending  | (answers the same)            |
// | accepted waiting | finish before begin, by the holder  | failed   | failed; waiting and expired so |
// | sending unknown  | finish: taken                       | sent     | (comes with WhatsApp's sent)  |
// | sending unknown  | finish: refused                     | failed   | failed                        |
// | sending unknown  | finish: wait                        | waiting  |                               |
// | sending          | finish: unknown                     | unknown  | unknown                       |
// | sending          | takeover by a newer term            | unknown  | unknown                       |
// | sending          | due: no finish came                 | unknown  | unknown                       |
// | unknown          | due, policy fail                    | failed   | failed (unknown_outcome)      |
// | unknown          | due, policy resend                  | accepted |                               |
// | accepted waiting | due: too late to be sent            | expired  | expired                       |
// | any open         | recover                             | unknown  | unknown (ledger_lost)         |
// | accepted waiting | cancel                              | cancelled | cancelled                    |
// | any below        | status sent, delivered, read        | that one | it, and sent if not told yet  |
// | sending unknown sent | status failed, not of an older attempt | failed | failed                  |
//
// Forward is: what is still open < sent < delivered < read. `failed(unknown_outcome)`, and what expired or was cancelled after
// an attempt whose outcome nobody knew, count as open for WhatsApp's word; every other failure is final.
// `unknown(ledger_lost)` is never sent again, whatever the policy: later attempts than the ledger knows may be on a phone.

import { transitionBetween } from "./history.ts";
import type { Event, MessageError, News, Policy, Progress, Status, Transition, Verb } from "./progress.ts";

/** `row` is the very object given when nothing changed. */
type Change<Row extends Progress> = { row: Row; news: readonly News[] };

/** `transition` is what the history gains. */
export type Step<Row extends Progress> = Change<Row> & { transition: Transition | undefined };

export const unknownOutcome = "unknown_outcome";

const ledgerLost = "ledger_lost";

const unknownOutcomeError: MessageError = {
  code: 131_000,
  title: "Something went wrong",
  message: "Something went wrong",
  details: "WhatsApp gave no answer: whether the message was taken is not known",
  href: "",
};

/** The next state of a message, and what the customer is told. Total: what does not fit changes nothing. */
export function next<Row extends Progress>(row: Row, event: Event, now: Date, policy: Policy): Step<Row> {
  const change = react(row, event, now, policy);
  return { ...change, transition: transitionBetween(row, change.row, event, now) };
}

function react<Row extends Progress>(row: Row, event: Event, now: Date, policy: Policy): Change<Row> {
  switch (event.kind) {
    case "begin":
      return afterBegin(row, event, now, policy);
    case "finish":
      return afterFinish(row, event, now, policy);
    case "status":
      return event.status === "failed" ? afterFailed(row, event) : afterForward(row, event);
    case "takeover":
      if (row.state !== "sending" || row.term >= event.term) return same(row);
      return toUnknown(row, "holder_changed", now, policy);
    case "recover":
      return afterRecover(row, now, policy);
    case "cancel":
      return isQueued(row) ? toCancelled(row, now) : same(row);
    case "due":
      return afterDue(row, now, policy);
  }
}

/** Whether the holder of this term may put this attempt on the wire. */
export function isBegun(row: Progress, term: number, attempt: number): boolean {
  return row.state === "sending" && row.term === term && row.attempt === attempt;
}

/** Whether it may still be sent. */
export function isOpen({ state }: Progress): boolean {
  return state === "accepted" || state === "waiting" || state === "sending" || state === "unknown";
}

function same<Row extends Progress>(row: Row): Change<Row> {
  return { row, news: [] };
}

function isQueued(row: Progress): boolean {
  return row.state === "accepted" || row.state === "waiting";
}

function afterBegin<Row extends Progress>(
  row: Row,
  { term, attempt }: { term: number; attempt: number },
  now: Date,
  { finishTimeoutMs }: Policy,
): Change<Row> {
  if (!isQueued(row) || attempt !== row.attempt + 1 || row.expiresAt <= now) return same(row);
  const dueAt = new Date(now.getTime() + finishTimeoutMs);
  return { row: { ...row, state: "sending", attempt, term, sendingAt: now, dueAt, reason: "" }, news: [] };
}

function afterFinish<Row extends Progress>(
  row: Row,
  event: Extract<Event, { kind: "finish" }>,
  now: Date,
  policy: Policy,
): Change<Row> {
  const { outcome, at } = event;
  const isOwn = event.attempt === row.attempt && event.term === row.term && row.attempt > 0;
  const isBeforeBegin = isQueued(row) && event.attempt === row.attempt + 1 && event.isHolder;
  const isOnWire = isOwn && (row.state === "sending" || row.state === "unknown");
  switch (outcome.kind) {
    case "taken":
      // After a loss of the ledger this may be news of an attempt that it forgot.
      return isOwn || (isLost(row) && event.attempt >= row.attempt) ? afterTaken(row, event, outcome.wamid) : same(row);
    case "refused":
      if (isOnWire || isBeforeBegin) return toFailed(row, outcome.reason, outcome.error, at);
      return isOwn && isGivenUp(row) ? corrected(row, outcome.reason, outcome.error) : same(row);
    case "wait":
      if ((!isOnWire && !isBeforeBegin) || isLost(row)) return same(row);
      return {
        row: { ...row, state: "waiting", dueAt: dueAfter(outcome.until, at, now), reason: outcome.reason },
        news: [],
      };
    case "unknown":
      return isOwn && row.state === "sending" ? toUnknown(row, outcome.reason, now, policy) : same(row);
    case "expired":
      return isBeforeBegin ? toExpired(row, now) : same(row);
  }
}

/** A holder whose clock is ahead means a time as far away as it said; one that tells it late means the time. */
function dueAfter(until: Date, at: Date, now: Date): Date {
  return new Date(Math.min(until.getTime(), now.getTime() + until.getTime() - at.getTime()));
}

function afterTaken<Row extends Progress>(
  row: Row,
  { attempt, at }: { attempt: number; at: Date },
  wamid: string,
): Change<Row> {
  if (progressOf(row) === 0) {
    return {
      row: { ...row, ...cleared, state: "sent", attempt, sentAt: row.sentAt ?? at, wamid: row.wamid ?? wamid },
      news: [],
    };
  }
  return row.wamid === undefined ? { row: { ...row, wamid }, news: [] } : same(row);
}

function afterDue<Row extends Progress>(row: Row, now: Date, policy: Policy): Change<Row> {
  if (isQueued(row)) return row.expiresAt <= now ? toExpired(row, now) : same(row);
  if (row.dueAt > now) return same(row);
  if (row.state === "sending") return toUnknown(row, "no_finish", now, policy);
  if (row.state !== "unknown") return same(row);
  if (policy.unknownPolicy === "resend" && row.expiresAt > now && !isLost(row)) {
    return { row: { ...row, state: "accepted", dueAt: now, reason: "resend" }, news: [] };
  }
  return toFailed(row, unknownOutcome, unknownOutcomeError, now);
}

function afterRecover<Row extends Progress>(row: Row, now: Date, policy: Policy): Change<Row> {
  if (!isOpen(row) || isLost(row)) return same(row);
  const { row: after, news } = toUnknown(row, ledgerLost, now, policy);
  return { row: after, news: row.state === "unknown" ? [] : news };
}

function isLost({ state, reason }: Progress): boolean {
  return state === "unknown" && reason === ledgerLost;
}

const levels = { sent: 1, delivered: 2, read: 3, played: 3 } as const;
const stateOfLevel = { 1: "sent", 2: "delivered", 3: "read" } as const;

/** WhatsApp took it, or more. A status of an older attempt counts too: the user has the message. */
function afterForward<Row extends Progress>(row: Row, event: Status): Change<Row> {
  if (event.status === "failed") return same(row);
  const level = levels[event.status];
  const before = progressOf(row);
  if (level < before || (level === before && (level > 1 || row.sentNewsAt !== undefined))) return withPrice(row, event);
  const { at } = event;
  const verb = stateOfLevel[level];
  const row1: Row = {
    ...row,
    ...(before === 0 && cleared),
    state: verb,
    attempt: Math.max(row.attempt, event.attempt ?? 0),
    wamid: row.wamid ?? event.wamid,
    pricing: event.pricing ?? row.pricing,
    sentAt: row.sentAt ?? at,
    sentNewsAt: row.sentNewsAt ?? at,
    ...(level >= 2 && { deliveredAt: row.deliveredAt ?? at }),
    ...(level >= 3 && { readAt: at }),
  };
  const told = row.sentNewsAt === undefined && level > 1 ? [newsOf(row1, "sent", at, event)] : [];
  return { row: row1, news: [...told, newsOf(row1, verb, at, event)] };
}

function afterFailed<Row extends Progress>(row: Row, event: Status): Change<Row> {
  const [error] = event.errors;
  if (event.attempt !== undefined && event.attempt < row.attempt) return same(row);
  if (isGivenUp(row)) return corrected(row, upstreamFailed, error);
  if (row.state !== "sending" && row.state !== "unknown" && row.state !== "sent") return same(row);
  const row1: Row = {
    ...row,
    state: "failed",
    wamid: row.wamid ?? event.wamid,
    reason: upstreamFailed,
    error,
    pricing: event.pricing ?? row.pricing,
    failedAt: event.at,
  };
  return { row: row1, news: [newsOf(row1, "failed", event.at, event)] };
}

/** The reason of a failure that WhatsApp reported after it had taken the message. */
const upstreamFailed = "upstream_failed";

/** What a late status corrects. */
const cleared = { reason: "", error: undefined, failedAt: undefined };

/** 0 while WhatsApp's word is still open, 1 sent, 2 delivered, 3 read; above all when it failed for good. */
function progressOf(row: Progress): number {
  switch (row.state) {
    case "accepted":
    case "waiting":
    case "sending":
    case "unknown":
      return 0;
    case "sent":
      return 1;
    case "delivered":
      return 2;
    case "read":
      return 3;
    case "failed":
      return isGivenUp(row) ? 0 : Number.POSITIVE_INFINITY;
    case "expired":
    case "cancelled":
      return row.attempt > 0 ? 0 : Number.POSITIVE_INFINITY;
  }
}

function isGivenUp(row: Progress): boolean {
  return row.state === "failed" && row.reason === unknownOutcome;
}

/** A failure already told, whose true cause came later: the ledger learns it, the customer was told of a failure. */
function corrected<Row extends Progress>(row: Row, reason: string, error: MessageError | undefined): Change<Row> {
  return { row: { ...row, reason, error }, news: [] };
}

/** WhatsApp reports the price with some statuses only, so even a late one may be the only one that has it. */
function withPrice<Row extends Progress>(row: Row, { pricing }: Status): Change<Row> {
  return pricing === undefined || row.pricing !== undefined ? same(row) : { row: { ...row, pricing }, news: [] };
}

function toUnknown<Row extends Progress>(row: Row, reason: string, now: Date, policy: Policy): Change<Row> {
  const dueAt = new Date(now.getTime() + policy.unknownTimeoutMs);
  const row1: Row = { ...row, state: "unknown", reason, dueAt };
  return { row: row1, news: [newsOf(row1, "unknown", now)] };
}

function toFailed<Row extends Progress>(
  row: Row,
  reason: string,
  error: MessageError | undefined,
  at: Date,
): Change<Row> {
  const row1: Row = { ...row, state: "failed", reason, error, failedAt: at };
  return { row: row1, news: [newsOf(row1, "failed", at, { errors: error === undefined ? [] : [error] })] };
}

function toExpired<Row extends Progress>(row: Row, now: Date): Change<Row> {
  const row1: Row = { ...row, state: "expired", reason: "expired", failedAt: now };
  return { row: row1, news: [newsOf(row1, "expired", now)] };
}

function toCancelled<Row extends Progress>(row: Row, now: Date): Change<Row> {
  const row1: Row = { ...row, state: "cancelled", reason: "cancelled", failedAt: now };
  return { row: row1, news: [newsOf(row1, "cancelled", now)] };
}

function newsOf(
  { attempt, reason }: Progress,
  verb: Verb,
  at: Date,
  { errors = [], pricing, conversation }: Partial<Pick<News, "errors" | "pricing" | "conversation">> = {},
): News {
  return { verb, attempt, at, reason, errors, pricing, conversation };
}
