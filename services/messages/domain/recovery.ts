// After Postgres lost commits the ledger is older than the truth. What rules out that anything it forgot happens twice.

/** A message that was due up to this long after the recovery began may have been sent by a holder whose clock was ahead. */
const clockSlackMs = 60_000;
// Where the clock tells nothing: a process that restarts each second takes this many terms in eleven days.
const leastGap = 1_000_000;

/**
 * A term above all that may have been granted and forgotten. Milliseconds since 1970 grow faster than terms can, so that the
 * terms of one recovery are also above those of an earlier one that a later restore made forgotten.
 */
export function termsAbove(highestKnown: number, now: Date): number {
  return Math.max(highestKnown + leastGap, now.getTime());
}

/** Messages that wait for longer were not sent by anyone. */
export function dueUntil(now: Date): Date {
  return new Date(now.getTime() + clockSlackMs);
}

/** What bars every lease after a recovery; `running`: messages are left that may be sent a second time. */
export type Standstill = { isRunning: boolean; remainingMs: number; termsAbove: number };

// Nobody knows how long a recovery takes.
const lookAgainMs = 1_000;

/** How long no lease may be granted; 0: it may. */
export function barredMs({ isRunning, remainingMs }: Standstill): number {
  return Math.max(0, remainingMs, isRunning ? lookAgainMs : 0);
}
