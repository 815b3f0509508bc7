// When an account is read from WhatsApp again.

const firstRetryMs = 5_000;
const longestRetryMs = 10 * 60_000;

/** After this many failures in a row (1: the first). */
export function retryAfterMs(failures: number): number {
  return Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(failures - 1, 20));
}

// A burst of news about many templates must not become a burst of readings: Meta counts them per account and hour. Whoever asks each
// quarter of a minute still knows of a change within one.
const spacingMs = 30_000;

/**
 * The next time after a reading: `nextAt`, unless news that came while it was under way brought the planned time forward.
 * A reading besides the timetable (`plannedAt` undefined) leaves it as it is.
 */
export function dueAfterReading(plannedAt: Date | undefined, dueAt: Date, nextAt: Date): Date {
  return plannedAt === undefined || dueAt < plannedAt ? dueAt : nextAt;
}

/** When the account is to be read after news that only a reading completes: at once, but not within half a minute of the last one. */
export function dueAfterNews(syncedAt: Date | undefined, dueAt: Date, now: Date): Date {
  const earliest = syncedAt === undefined ? now.getTime() : Math.max(now.getTime(), syncedAt.getTime() + spacingMs);
  return new Date(Math.min(dueAt.getTime(), earliest));
}

// WhatsApp's list may lag behind what was just changed.
const changeSettlesMs = 10_000;

/** The same after a change of ours: as soon as a reading will show it. */
export function dueAfterChange(syncedAt: Date | undefined, dueAt: Date | undefined, now: Date): Date {
  const settledAt = new Date(now.getTime() + changeSettlesMs);
  return dueAfterNews(syncedAt, dueAt ?? settledAt, settledAt);
}
