// The history of a message: one transition for each change of its state, attempt or reason, in the order of the ledger's commits.
import type { Event, Progress, Transition } from "./progress.ts";

// A number whose upstream refuses for weeks tries again and again; what is still open after so many attempts adds nothing new,
// and its row must not grow for ever.
const lastKeptAttempt = 100;

const openStates = new Set<Progress["state"]>(["accepted", "waiting", "sending", "unknown"]);

/** What the history gains by this event; undefined for nothing. Its time is the ledger's, not WhatsApp's. */
export function transitionBetween(before: Progress, after: Progress, event: Event, now: Date): Transition | undefined {
  const { state, attempt, reason } = after;
  if (state === before.state && attempt === before.attempt && reason === before.reason) return undefined;
  if (attempt > lastKeptAttempt && openStates.has(state)) return undefined;
  return { state, at: now, attempt, term: termOf(event), reason };
}

/** The lease term under which it happened; 0 where none did. */
function termOf(event: Event): number {
  switch (event.kind) {
    case "begin":
    case "finish":
    case "takeover":
      return event.term;
    case "status":
    case "due":
    case "recover":
    case "cancel":
      return 0;
  }
}
