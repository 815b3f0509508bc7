// Keeps the order of a recipient's messages when one was put back into the ledger: until it is due, those behind it are put back too.
// A key is a recipient within a lane; times are wall-clock ms, as the ledger's due times are.
import { isBefore, type Place } from "./lanes.ts";

type Member = Place & { untilMs: number };

type Hold = { gapMs: number; members: Member[] };

export type Holds = {
  /** The message leaves memory until then. Each one behind it becomes due another `gapMs` later. */
  putBack(key: string, place: Place, untilMs: number, gapMs: number): void;
  /** Until when a message must be put back itself to stay behind an earlier one; undefined: it may go. */
  behind(key: string, place: Place, nowMs: number): { untilMs: number; gapMs: number } | undefined;
};

/** Over the limit the oldest hold is forgotten, which costs that recipient's order only. */
export function createHolds(limit = 20_000): Holds {
  const holds = new Map<string, Hold>();
  return {
    putBack(key, { messageId, acceptedAtMs }, untilMs, gapMs) {
      const others = (holds.get(key)?.members ?? []).filter((member) => member.messageId !== messageId);
      holds.set(key, { gapMs, members: [...others, { messageId, acceptedAtMs, untilMs }] });
      for (const oldest of holds.keys()) {
        if (holds.size <= limit) break;
        holds.delete(oldest);
      }
    },
    behind(key, place, nowMs) {
      const hold = holds.get(key);
      if (hold === undefined) return undefined;
      hold.members = hold.members.filter(({ untilMs }) => untilMs > nowMs);
      if (hold.members.length === 0) holds.delete(key);
      const earlier = hold.members.filter((member) => isBefore(member, place));
      if (earlier.length === 0) return undefined;
      return { untilMs: Math.max(...earlier.map(({ untilMs }) => untilMs)) + hold.gapMs, gapMs: hold.gapMs };
    },
  };
}
