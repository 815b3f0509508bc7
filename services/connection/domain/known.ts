// What is known of the number at its upstream, and what becomes of it by outcomes of messages and by looks. What happened before
// this holder comes from the ledger.
import { decideLook, type Look, type Outcome, toStandingEvent } from "./outcome.ts";
import {
  conflictStanding,
  nextStanding,
  openStanding,
  type Standing,
  type StandingEvent,
  type StandingWord,
  toWord,
} from "./standing.ts";

export type Known = {
  standing: Standing;
  /** WhatsApp had it registered from here at some time, and it was not deregistered from here since. */
  wasRegistered: boolean;
  /** When a message was taken last; monotonic. */
  takenAtMs: number;
};

/** `isConflict`: so the last holder ended. */
export function firstKnown({ wasRegistered, isConflict }: { wasRegistered: boolean; isConflict: boolean }): Known {
  return {
    standing: isConflict ? conflictStanding : openStanding,
    wasRegistered: wasRegistered || isConflict,
    takenAtMs: Number.NEGATIVE_INFINITY,
  };
}

// A look is believed against messages that WhatsApp took that long ago.
const lookCountsAfterMs = 60 * 60 * 1_000;
// Trouble that a look alone may show; all other is for messages to find.
const shownByLooks: ReadonlySet<string> = new Set(["number_not_registered", "number_migrated", "token_refused"]);

/** What became of a message. `nowMs` is monotonic; `random` is 0 to 1. Nothing new: the same object, as of all here. */
export function afterOutcome(before: Known, outcome: Outcome, nowMs: number, random: number): Known {
  const known = outcome.outcome === "taken" ? { ...before, wasRegistered: true, takenAtMs: nowMs } : before;
  const event = toStandingEvent(outcome);
  return event === undefined ? known : afterEvent(known, event, nowMs, random);
}

/** What a look says: all of it for a number that probes; any other is judged by its messages where it has some. */
export function afterLook(before: Known, look: Look, nowMs: number, random: number): Known {
  const event = decideLook(look);
  if (event === undefined) return before;
  switch (event.event) {
    case "deregistered":
      // Who deregisters a number here may register it here again.
      return afterEvent(remember(before, false), event, nowMs, random);
    case "registered":
    case "registered_here":
      return afterEvent(remember(before, true), event, nowMs, random);
    default: {
      const isIdle = nowMs - before.takenAtMs > lookCountsAfterMs;
      const isShown = event.event === "trouble" && shownByLooks.has(event.reason);
      const counts = before.standing.state === "probing" || (before.standing.state === "open" && isIdle && isShown);
      return counts ? afterEvent(before, event, nowMs, random) : before;
    }
  }
}

/**
 * A number that was registered from here and is not any more has been taken by another client: to register it again would take it
 * back, and so on.
 */
export function afterEvent(known: Known, event: StandingEvent, nowMs: number, random: number): Known {
  const isTaken = event.event === "trouble" && event.reason === "number_not_registered" && known.wasRegistered;
  const meant = isTaken ? { ...event, reason: "registered_elsewhere" } : event;
  const standing = nextStanding(known.standing, meant, nowMs, random);
  return standing === known.standing ? known : { ...known, standing };
}

function remember(known: Known, wasRegistered: boolean): Known {
  return known.wasRegistered === wasRegistered ? known : { ...known, wasRegistered };
}

/** What the ledger is told of it. */
export type ToldStanding = {
  standing: StandingWord;
  /** Why nothing goes, or one at a time; empty: everything goes. */
  restReason: string;
  /** When the upstream is tried again; undefined while it is being tried. */
  restsUntil: Date | undefined;
  wasRegistered: boolean;
};

/** `now` is the wall clock's reading at `nowMs`. */
export function toTold({ standing, wasRegistered }: Known, nowMs: number, now: Date): ToldStanding {
  const word = toWord(standing);
  if (standing.state === "open") return { standing: word, restReason: "", restsUntil: undefined, wasRegistered };
  const restsUntil = standing.state === "resting" ? new Date(now.getTime() + standing.untilMs - nowMs) : undefined;
  return { standing: word, restReason: standing.reason, restsUntil, wasRegistered };
}
