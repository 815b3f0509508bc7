// When a delivery that failed is tried again: exponential steps with jitter, slower where the endpoint asks for it, and dead
// when the time that the subscription keeps trying has passed. The last try is at the very end of that time.

export type Failure = {
  /** For people: the HTTP status, or the network's word. */
  reason: string;
  /** Undefined if no response came. */
  status: number | undefined;
  timedOut: boolean;
  /** What Retry-After asked for. */
  retryAfterMs: number | undefined;
};

/** What became of one attempt. */
export type Outcome = { kind: "delivered" } | { kind: "failed"; failure: Failure };

export type Schedule = {
  /** The first step; each further one is twice as long. */
  baseMs: number;
  /** No step is longer, whatever Retry-After says. */
  capMs: number;
};

export type Tried = {
  /** The attempt that failed, from 1. */
  attempt: number;
  createdAt: Date;
  keepTryingSeconds: number;
  failure: Failure;
  /** 0 to 1, drawn by the caller. */
  random: number;
};

type Next = { state: "waiting"; dueAt: Date } | { state: "dead" };

const jitter = 0.2;

export function afterFailedAttempt(
  { attempt, createdAt, keepTryingSeconds, failure, random }: Tried,
  schedule: Schedule,
  now: Date,
): Next {
  const endsAt = createdAt.getTime() + keepTryingSeconds * 1_000;
  if (now.getTime() >= endsAt) return { state: "dead" };
  const step = Math.max(schedule.baseMs * 2 ** Math.min(attempt - 1, 30), schedule.baseMs * slowness(failure));
  const jittered = step * (1 - jitter + 2 * jitter * random);
  const delayMs = Math.min(Math.max(jittered, failure.retryAfterMs ?? 0), schedule.capMs);
  return { state: "waiting", dueAt: new Date(Math.min(now.getTime() + delayMs, endsAt)) };
}

/** The least step in multiples of the first one: an endpoint that is overloaded, or gone, is left alone for longer. */
function slowness(failure: Failure): number {
  if (failure.status === 429 || failure.status === 410) return 60;
  if (failure.timedOut || failure.status === 502 || failure.status === 503 || failure.status === 504) return 5;
  return 1;
}

/** Reads Retry-After: seconds, or an HTTP date. Undefined if there is none, it is malformed, or lies in the past. */
export function parseRetryAfter(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now.getTime();
  return ms > 0 ? ms : undefined;
}
