// Which message ids a page of a list may hold. Ids are in the order of acceptance, and a page goes from new to old.
import type { MessageState } from "./progress.ts";
import { type Day, firstMessageId } from "./partitions.ts";

/** What the caller asks for; empty words ask for all. */
export type Filter = {
  phoneNumberId: string;
  recipient: string;
  state: MessageState | "";
  templateName: string;
  campaign: string;
  /** Accepted at or after. */
  from: Date | undefined;
  /** Accepted before. */
  to: Date | undefined;
};

/** Ids from `least` on, and below `below`. */
export type IdRange = { least: string; below: string };

/** The ids of one day that the page may hold; undefined if there are none. `pageToken` is where the page before ended. */
export function rangeOfDay(
  day: Day,
  { from, to }: Pick<Filter, "from" | "to">,
  pageToken: string | undefined,
): IdRange | undefined {
  const least = firstMessageId(from !== undefined && from > day.from ? from : day.from);
  const end = firstMessageId(to !== undefined && to < day.to ? to : day.to);
  const below = pageToken !== undefined && pageToken < end ? pageToken : end;
  return least < below ? { least, below } : undefined;
}
