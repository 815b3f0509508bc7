// When a number's facts are read from WhatsApp again.

const firstRetryMs = 5_000;
const longestRetryMs = 10 * 60_000;

/** After this many failures in a row (1: the first). */
export function retryAfterMs(failures: number): number {
  return Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(failures - 1, 20));
}

/**
 * The next time after a reading: `nextAt`, unless news that came while it was under way brought the planned time forward.
 * A reading besides the timetable (`plannedAt` undefined) leaves it as it is.
 */
export function dueAfterReading(plannedAt: Date | undefined, dueAt: Date, nextAt: Date): Date {
  return plannedAt === undefined || dueAt < plannedAt ? dueAt : nextAt;
}
