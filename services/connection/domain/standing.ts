// How the upstream treats the number as a whole, and so how many messages may be in flight to it.
//
//   state    event            next
//   open     trouble          resting
//   open     lost             resting after 10 in a row
//   open     answer, taken    open, losses forgotten
//   resting  trouble          resting, the later end
//   resting  time             probing once its time is over
//   resting  token_changed    probing at once, if the token was refused
//   resting  registered       probing at once, if the number was not registered; in a conflict only where looks are telling
//   resting  registered_here  probing at once, if the number was not registered or in conflict
//   resting  lost, answer, taken: resting (they are of messages sent before)
//   probing  trouble, lost    resting, longer
//   probing  taken            open
//   probing  answer           open; in a conflict probing
//   probing  registered       open; in a conflict only where looks are telling
//   probing  registered_here  open; in a conflict probing, and looks are telling
//   any      deregistered     resting
//
// Probing sends one message at a time: a queue of thousands never finds out by itself, message by message, that nothing has changed.
// A conflict outlasts all other trouble, and a good status: WhatsApp may read the number CONNECTED while it refuses every message.
import { type Backoff, backoffMs } from "./backoff.ts";

/** The number is another client's, as far as known. */
export type Conflict = {
  /** How often it was met since a message was taken. */
  failures: number;
  /** `telling`: the number's status showed it too, so that a good one is news. `blind`: its status is good all the same. */
  looks: "untried" | "telling" | "blind";
};

type Troubled = {
  reason: string;
  /** Of that reason, in a row. */
  failures: number;
  conflict?: Conflict;
};
type Open = { state: "open"; losses: number };
type Resting = Troubled & { state: "resting"; untilMs: number };
type Probing = Troubled & { state: "probing" };

export type Standing = Open | Resting | Probing;

/** `inStatus`: the number's own status shows it. */
export type Trouble = { event: "trouble"; reason: string; backoff: Backoff; inStatus?: true };

export type StandingEvent =
  /** A refusal that is about the number or its upstream. */
  | Trouble
  /** No answer: a time-out or a cut connection. */
  | { event: "lost" }
  /** Any other answer, also a refusal of the message. */
  | { event: "answer" }
  /** WhatsApp took a message. */
  | { event: "taken" }
  | { event: "time" }
  | { event: "token_changed" }
  /** The number's status says that it is registered. */
  | { event: "registered" }
  /** Both were just done through this process. */
  | { event: "registered_here" }
  | { event: "deregistered"; reason: string; backoff: Backoff };

export const openStanding: Standing = { state: "open", losses: 0 };

/** Of a number whose last holder ended in conflict. */
export const conflictStanding: Standing = toProbing({ failures: 1, looks: "untried" });

const lossesBeforeRest = 10;
const silent: Trouble = {
  event: "trouble",
  reason: "upstream_silent",
  backoff: { firstMs: 1_000, factor: 2, maxMs: 10_000 },
};

/** Why nothing goes, in the words of RenewRequest; empty: it goes, or the upstream only asked for less. */
export type StandingWord = "" | "not_registered" | "conflict" | "token_refused" | "upstream_away";

const words: ReadonlyMap<string, StandingWord> = new Map([
  ["number_not_registered", "not_registered"],
  ["registered_elsewhere", "conflict"],
  ["number_migrated", "conflict"],
  ["token_refused", "token_refused"],
  ["upstream_unreachable", "upstream_away"],
  ["upstream_silent", "upstream_away"],
  ["maintenance", "upstream_away"],
]);

/** A probing number has its word still: nothing has shown that the trouble is over. */
export function toWord(standing: Standing): StandingWord {
  if (standing.state === "open") return "";
  return standing.conflict === undefined ? (words.get(standing.reason) ?? "") : "conflict";
}

/** Whether the word is about the number's registration: someone must act, time alone helps nothing. */
export function isUnregistered(word: StandingWord): boolean {
  return word === "not_registered" || word === "conflict";
}

/** Whether a look may show that the trouble is over. */
export function isForLooks(standing: Standing): boolean {
  return standing.state === "probing" && standing.conflict?.looks !== "blind";
}

/** `nowMs` is monotonic; `random` is 0 to 1. Returns the same object when nothing changes. */
export function nextStanding(standing: Standing, event: StandingEvent, nowMs: number, random: number): Standing {
  if (event.event === "deregistered") return rest(event, { failures: 1 }, nowMs, random);
  switch (standing.state) {
    case "open":
      return nextOpen(standing, event, nowMs, random);
    case "probing":
      return nextProbing(standing, event, nowMs, random);
    case "resting":
      return nextResting(standing, event, nowMs, random);
  }
}

function nextOpen(standing: Open, event: StandingEvent, nowMs: number, random: number): Standing {
  switch (event.event) {
    case "trouble":
      return rest(event, met(undefined, event), nowMs, random);
    case "lost":
      if (standing.losses + 1 >= lossesBeforeRest) return rest(silent, { failures: 1 }, nowMs, random);
      return { state: "open", losses: standing.losses + 1 };
    case "answer":
    case "taken":
      return standing.losses === 0 ? standing : openStanding;
    default:
      return standing;
  }
}

function nextProbing(standing: Probing, event: StandingEvent, nowMs: number, random: number): Standing {
  const { failures, conflict } = standing;
  switch (event.event) {
    case "taken":
      return openStanding;
    case "answer":
      return conflict === undefined ? openStanding : standing;
    case "registered":
      if (conflict === undefined || conflict.looks === "telling") return openStanding;
      return toProbing({ ...conflict, looks: "blind" });
    case "registered_here":
      return conflict === undefined ? openStanding : toProbing({ ...conflict, looks: "telling" });
    case "lost":
      return rest(silent, { failures: failures + 1, conflict }, nowMs, random);
    case "trouble":
      return rest(event, met(standing, event), nowMs, random);
    default:
      return standing;
  }
}

function nextResting(standing: Resting, event: StandingEvent, nowMs: number, random: number): Standing {
  const { reason, failures, conflict, untilMs } = standing;
  const probing: Probing = { state: "probing", reason, failures, ...(conflict !== undefined && { conflict }) };
  switch (event.event) {
    case "time":
      return nowMs >= untilMs ? probing : standing;
    case "token_changed":
      return reason === "token_refused" ? probing : standing;
    case "registered":
      if (conflict === undefined) return isUnregistered(toWord(standing)) ? probing : standing;
      if (conflict.looks === "untried") return { ...standing, conflict: { ...conflict, looks: "blind" } };
      return conflict.looks === "telling" ? probing : standing;
    case "registered_here":
      if (conflict !== undefined) return toProbing({ ...conflict, looks: "telling" });
      return isUnregistered(toWord(standing)) ? probing : standing;
    case "trouble": {
      const known = conflict ?? met(undefined, event).conflict;
      const again = isConflict(event) && known !== undefined ? known.failures : failures;
      const later = rest(event, { failures: again, conflict: known }, nowMs, random);
      return later.untilMs > untilMs ? later : standing;
    }
    default:
      return standing;
  }
}

type Count = { failures: number; conflict?: Conflict | undefined };

/** Another trouble is not more of the same: its own backoff begins. Nothing but a conflict counts a conflict. */
function met(before: Troubled | undefined, event: Trouble): Count {
  const again = before?.reason === event.reason ? before.failures + 1 : 1;
  const conflict = before?.conflict;
  if (!isConflict(event)) return { failures: again, conflict };
  const failures = (conflict?.failures ?? 0) + 1;
  return { failures, conflict: { failures, looks: event.inStatus ? "telling" : (conflict?.looks ?? "untried") } };
}

function isConflict({ reason }: Trouble): boolean {
  return words.get(reason) === "conflict";
}

function toProbing(conflict: Conflict): Standing {
  return { state: "probing", reason: "registered_elsewhere", failures: conflict.failures, conflict };
}

function rest(
  { reason, backoff }: { reason: string; backoff: Backoff },
  { failures, conflict }: Count,
  nowMs: number,
  random: number,
): Resting {
  const untilMs = nowMs + backoffMs(backoff, failures, random);
  return { state: "resting", reason, failures, untilMs, ...(conflict !== undefined && { conflict }) };
}
