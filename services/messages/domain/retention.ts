// When a day's partition may go: whole days only, and late, at an hour of its own, so that not every installation drops at midnight.
import type { Day } from "./partitions.ts";

export type Retention = {
  /** What was said, by us and by users. */
  contentDays: number;
  /** Ids, states and times of our messages. */
  messageDays: number;
};

const dayMs = 86_400_000;
const jitterMs = 6 * 3_600_000;

/** Whether all of a day has been there for so many days. Whether something of it is still open is another matter. */
export function isOutlived(day: Day, days: number, now: Date): boolean {
  return day.to.getTime() + days * dayMs + jitterOf(day) <= now.getTime();
}

/** The same in every copy of the service: FNV-1a of the day's name. */
function jitterOf({ name }: Day): number {
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
  return hash % jitterMs;
}
