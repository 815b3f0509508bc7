// How long finished deliveries are kept, and when one that waits is given up without asking its endpoint once more.

export type Retention = { deliveredHours: number; deadHours: number };

export type Cutoffs = {
  /** Delivered before: deleted. */
  deliveredBefore: Date;
  /** Dead since before: deleted. */
  deadBefore: Date;
};

const hourMs = 3_600_000;

export function cutoffsOf({ deliveredHours, deadHours }: Retention, now: Date): Cutoffs {
  return {
    deliveredBefore: new Date(now.getTime() - deliveredHours * hourMs),
    deadBefore: new Date(now.getTime() - deadHours * hourMs),
  };
}

// The last try is at the very end of the time that a subscription keeps trying; it must have had its chance.
const graceMs = hourMs;

/** What came before this and still waits is over: its endpoint was in a pause all the time, or too slow for its news. */
export function expiresBefore(keepTryingSeconds: number, now: Date): Date {
  return new Date(now.getTime() - keepTryingSeconds * 1_000 - graceMs);
}
