// How the upstream treats the number as a whole, and so how many messages may be in flight to it.
//
//   state    event    next
//   open     trouble  resting                      probing  trouble  resting, longer
//   open     lost     resting after 10 in a row    probing  lost     resting, longer
//   open     answer   open, losses forgotten       probing  answer   open
//   resting  trouble  resting, the later end       resting  time     probing once its time is over, else resting
//   resting  lost, answer: resting (they are of messages sent before)
//   resting for a refused token: a changed token makes it probing at once
//   resting for a missing registration: the news that the number is registered makes it probing at once
//   open, probing  registered  open
//
// Probing sends one message at a time: a queue of thousands never finds out by itself, message by message, that nothing has changed.
import { type Backoff, backoffMs } from "./backoff.ts";

export type Standing =
  | { state: "open"; losses: number }
  | { state: "resting"; reason: string; failures: number; untilMs: number }
  | { state: "probing"; reason: string; failures: number };

export type StandingEvent =
  /** A refusal that is about the number or its upstream. */
  | { event: "trouble"; reason: string; backoff: Backoff }
  /** No answer: a time-out or a cut connection. */
  | { event: "lost" }
  /** Any other answer, also a refusal of the message. */
  | { event: "answer" }
  | { event: "time" }
  | { event: "token_changed" }
  /** WhatsApp says that the number is registered. */
  | { event: "registered" };

export const openStanding: Standing = { state: "open", losses: 0 };

const lossesBeforeRest = 10;
const silent = {
  event: "trouble",
  reason: "upstream_silent",
  backoff: { firstMs: 1_000, factor: 2, maxMs: 10_000 },
} as const;

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

/**
 * A number that was seen registered and is not any more has been taken by another client: to register it again would take it back,
 * and so on. `wasRegistered`: under this lease, or the last holder ended in conflict.
 */
export function withHistory(event: StandingEvent, wasRegistered: boolean): StandingEvent {
  const isTaken = event.event === "trouble" && event.reason === "number_not_registered" && wasRegistered;
  return isTaken ? { ...event, reason: "registered_elsewhere" } : event;
}

/** Whether the word is about the number's registration: someone must act, time alone helps nothing. */
export function isUnregistered(word: StandingWord): boolean {
  return word === "not_registered" || word === "conflict";
}

/** What the ledger is told of it. */
export type ToldStanding = {
  standing: StandingWord;
  /** Why nothing goes, or one at a time; empty: everything goes. */
  restReason: string;
  /** When the upstream is tried again; undefined while it is being tried. */
  restsUntil: Date | undefined;
};

/** `now` is the wall clock's reading at `nowMs`. */
export function toTold(standing: Standing, nowMs: number, now: Date): ToldStanding {
  const word = toWord(standing);
  if (standing.state === "open") return { standing: word, restReason: "", restsUntil: undefined };
  const restsUntil = standing.state === "resting" ? new Date(now.getTime() + standing.untilMs - nowMs) : undefined;
  return { standing: word, restReason: standing.reason, restsUntil };
}

/** A probing number has its word still: nothing has shown that the trouble is over. */
export function toWord(standing: Standing): StandingWord {
  return standing.state === "open" ? "" : (words.get(standing.reason) ?? "");
}

/** `nowMs` is monotonic; `random` is 0 to 1. Returns the same object when nothing changes. */
export function nextStanding(standing: Standing, event: StandingEvent, nowMs: number, random: number): Standing {
  switch (standing.state) {
    case "open":
      return nextOpen(standing, event, nowMs, random);
    case "probing":
      if (event.event === "answer" || event.event === "registered") return openStanding;
      if (event.event === "lost") return rest(silent, standing.failures + 1, nowMs, random);
      if (event.event !== "trouble") return standing;
      // Another trouble is not more of the same: its own backoff begins.
      return rest(event, event.reason === standing.reason ? standing.failures + 1 : 1, nowMs, random);
    case "resting": {
      const { reason, failures } = standing;
      if (isOver(standing, event, nowMs)) return { state: "probing", reason, failures };
      if (event.event !== "trouble") return standing;
      const again = rest(event, failures, nowMs, random);
      return again.untilMs > standing.untilMs ? again : standing;
    }
  }
}

function nextOpen(
  standing: Extract<Standing, { state: "open" }>,
  event: StandingEvent,
  nowMs: number,
  random: number,
): Standing {
  switch (event.event) {
    case "trouble":
      return rest(event, 1, nowMs, random);
    case "lost":
      if (standing.losses + 1 >= lossesBeforeRest) return rest(silent, 1, nowMs, random);
      return { state: "open", losses: standing.losses + 1 };
    case "answer":
      return standing.losses === 0 ? standing : openStanding;
    case "time":
    case "token_changed":
    case "registered":
      return standing;
  }
}

function isOver(standing: Extract<Standing, { state: "resting" }>, { event }: StandingEvent, nowMs: number): boolean {
  switch (event) {
    case "time":
      return nowMs >= standing.untilMs;
    case "token_changed":
      return standing.reason === "token_refused";
    case "registered":
      return isUnregistered(toWord(standing));
    default:
      return false;
  }
}

function rest(
  { reason, backoff }: { reason: string; backoff: Backoff },
  failures: number,
  nowMs: number,
  random: number,
): Extract<Standing, { state: "resting" }> {
  return { state: "resting", reason, failures, untilMs: nowMs + backoffMs(backoff, failures, random) };
}
