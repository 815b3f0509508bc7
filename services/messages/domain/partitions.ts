// Partitions hold one UTC day each. A version 7 UUID begins with its time in ms, so a message id names its partition.

export type Day = {
  /** The suffix of the partition's name: 20260302. */
  name: string;
  from: Date;
  to: Date;
};

const dayMs = 86_400_000;
const daysBehind = 1;
const daysAhead = 3;

/** When the day that holds this instant began, in ms since 1970. */
export function startOfDay(at: Date): number {
  return Math.floor(at.getTime() / dayMs) * dayMs;
}

/** The day that holds this instant. */
export function dayOf(at: Date): Day {
  const from = new Date(startOfDay(at));
  return {
    name: from.toISOString().slice(0, 10).replaceAll("-", ""),
    from,
    to: new Date(from.getTime() + dayMs),
  };
}

/** The days whose partitions must be there: yesterday to three days ahead. */
export function daysAround(now: Date): Day[] {
  return Array.from({ length: daysBehind + 1 + daysAhead }, (_, index) =>
    dayOf(new Date(now.getTime() + (index - daysBehind) * dayMs)),
  );
}

/** The smallest UUID of version 7 order that is not before this instant. */
export function firstMessageId(at: Date): string {
  const hex = at.getTime().toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** When the id was drawn; undefined if it is no UUID of version 7. */
export function timeOfMessageId(messageId: string): Date | undefined {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(messageId)) return undefined;
  return new Date(Number.parseInt(messageId.slice(0, 8) + messageId.slice(9, 13), 16));
}

/** Whether no message of this day can be accepted any more: ids are taken up to a day from their time, and clocks differ. */
export function isClosed(day: Day, now: Date): boolean {
  return day.to.getTime() + dayMs + clockSlackMs < now.getTime();
}

const clockSlackMs = 3_600_000;
