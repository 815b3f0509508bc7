// Keeps the order of a recipient's messages when one is put back. The ledger holds what is behind a waiting message, and memory
// lets go of it; what a claim brings that was asked before the ledger knew of the wait is the gap that is closed here.
// A key is a recipient within a lane. Claims are asked one at a time.
import { isBefore, type Place } from "./lanes.ts";

/** `seenBy`: the first claim whose answer takes the wait into account, once it is written. */
type Hold = { key: string; place: Place; seenBy: number };

export type Holds = {
  /** The message leaves memory; the ledger does not know yet. */
  putBack(key: string, place: Place): void;
  /** The ledger knows. */
  written(messageId: string): void;
  /** A claim is asked. Those that were asked before it have been answered or have failed. */
  claim(): void;
  /** Whether a message that the claim brought is behind one of whose wait its answer may not know. */
  isBehind(key: string, place: Place): boolean;
  /** The next claim's answer will know of every wait. */
  areWritten(): boolean;
};

export function createHolds(): Holds {
  const holds = new Map<string, Hold>();
  let claims = 0;
  return {
    putBack(key, place) {
      holds.set(place.messageId, { key, place, seenBy: Number.POSITIVE_INFINITY });
    },
    written(messageId) {
      const hold = holds.get(messageId);
      if (hold !== undefined) hold.seenBy = claims + 1;
    },
    claim() {
      claims += 1;
      for (const [messageId, { seenBy }] of holds) if (seenBy <= claims) holds.delete(messageId);
    },
    areWritten: () => [...holds.values()].every(({ seenBy }) => Number.isFinite(seenBy)),
    isBehind: (key, place) => [...holds.values()].some((hold) => hold.key === key && isBefore(hold.place, place)),
  };
}
