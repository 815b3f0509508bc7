// How much is asked of an endpoint at once. One that fails again and again is left alone for a while, then tried with a single
// delivery; the first success opens it fully. Its deliveries wait in the table meanwhile and lose none of their own attempts.
import type { Failure } from "./retry.ts";

export type Health = {
  failuresInARow: number;
  pause: { from: Date; until: Date } | undefined;
};

export const healthy: Health = { failuresInARow: 0, pause: undefined };

/** Failures without a success in between that begin a pause: more than one unlucky batch, less than a second's traffic. */
const pauseAfter = 10;
const longestPauseMs = 60_000;

/** `startedAt` is when the failed attempt began: one from before the pause says nothing new. `baseMs` is the first pause. */
export function afterFailure(health: Health, failure: Failure, startedAt: Date, baseMs: number, now: Date): Health {
  if (health.pause !== undefined && startedAt < health.pause.from) return health;
  const asksForPause = failure.status === 429 || failure.status === 410;
  const failuresInARow = Math.max(health.failuresInARow + 1, asksForPause ? pauseAfter : 0);
  if (failuresInARow < pauseAfter) return { failuresInARow, pause: undefined };
  const doubled = baseMs * 2 ** Math.min(failuresInARow - pauseAfter, 30);
  const pauseMs = Math.min(Math.max(doubled, failure.retryAfterMs ?? 0), longestPauseMs);
  return { failuresInARow, pause: { from: now, until: new Date(now.getTime() + pauseMs) } };
}

/** Until when an endpoint is left alone, by what is saved of it; undefined: it is not, or it has answered since. */
export function pauseOf({ pausedUntil, lastSuccessAt, lastFailureAt }: Saved, now: Date): Date | undefined {
  if (pausedUntil === undefined || pausedUntil <= now) return undefined;
  const hasAnsweredSince = lastSuccessAt !== undefined && lastFailureAt !== undefined && lastSuccessAt > lastFailureAt;
  return hasAnsweredSince ? undefined : pausedUntil;
}

type Saved = Record<"pausedUntil" | "lastSuccessAt" | "lastFailureAt", Date | undefined>;

/** How many deliveries may be under way now: none in a pause, one after it, all of them when it is well. */
export function slots(health: Health, concurrency: number, now: Date): number {
  if (health.pause === undefined) return concurrency;
  return now < health.pause.until ? 0 : 1;
}

// Enough that a refill costs little per delivery, and less than a claim's slack, so that few claims end unused.
const windowMs = 2_000;
const largestWindow = 1_024;

/** How many deliveries of an endpoint are held in memory: what it takes in two seconds. `averageMs` is of one exchange. */
export function windowOf(concurrency: number, averageMs: number): number {
  const taken = Math.floor((concurrency * windowMs) / Math.max(averageMs, 1));
  return Math.max(concurrency, Math.min(taken, largestWindow));
}
