// Why messages are not sent yet, as it is when one asks: nothing of it is written, since it changes with others' messages.
import type { Queryable } from "#lib/postgres.ts";
import type { Days } from "./days.ts";
import { decideHold, type Hold } from "./domain/hold.ts";
import type { Register } from "./register.ts";
import { loadQueueFacts } from "./store/hold.ts";
import type { TracedMessage } from "./store/message-row.ts";

type Dependencies = { db: Queryable; register: Pick<Register, "get">; days: Pick<Days, "floor">; now: () => Date };

// How far is counted for one message, and for each of a list: 2 ms for a thousand.
const mostAhead = { alone: 1_000, listed: 100 };

/** By message id. */
export async function loadHolds(
  { db, register, days, now }: Dependencies,
  messages: readonly TracedMessage[],
): Promise<Map<string, Hold>> {
  const at = now();
  const queued = messages.filter(({ state }) => state === "accepted" || state === "waiting");
  const facts = await loadQueueFacts(
    db,
    queued.map(({ messageId }) => messageId),
    { now: at, floor: days.floor(), most: messages.length > 1 ? mostAhead.listed : mostAhead.alone },
  );
  const holds = new Map<string, Hold>();
  for (const message of queued) {
    const { messageId, phoneNumberId } = message;
    const own = facts.get(messageId);
    const hold = own && decideHold({ message, number: register.get(phoneNumberId), ...own }, at);
    if (hold !== undefined) holds.set(messageId, hold);
  }
  return holds;
}
