// About how many messages wait for each number: enough for a queue limit, cheap enough for every Send.
import type { Log } from "#lib/log.ts";

export type QueueCounts = {
  /**
   * Asks Postgres at most once a second, and rarely while the queue is less than half full. Waits for it only where an old count says
   * that the queue is full: what made room meanwhile, nobody tells.
   */
  estimate(phoneNumberId: string, limit: number): Promise<number>;
  /** One more was accepted here. */
  add(phoneNumberId: string): void;
};

type Count = { counted: number; acceptedSince: number; countedAtMs: number; counting: Promise<void> | undefined };

const freshMs = 1_000;
const halfEmptyFreshMs = 30_000;

export function createQueueCounts(
  count: (phoneNumberId: string, most: number) => Promise<number>,
  log: Log,
  nowMs = (): number => performance.now(),
): QueueCounts {
  const counts = new Map<string, Count>();

  function countOf(phoneNumberId: string): Count {
    const known = counts.get(phoneNumberId);
    if (known !== undefined) return known;
    const unknown = { counted: 0, acceptedSince: 0, countedAtMs: Number.NEGATIVE_INFINITY, counting: undefined };
    counts.set(phoneNumberId, unknown);
    return unknown;
  }

  async function recount(phoneNumberId: string, own: Count, limit: number): Promise<void> {
    try {
      own.counted = await count(phoneNumberId, limit);
      own.acceptedSince = 0;
    } catch (error) {
      log.warn({ err: error }, "queue could not be counted");
    } finally {
      own.countedAtMs = nowMs();
      own.counting = undefined;
    }
  }

  return {
    async estimate(phoneNumberId, limit) {
      const own = countOf(phoneNumberId);
      const estimated = own.counted + own.acceptedSince;
      const freshFor = estimated > limit / 2 ? freshMs : halfEmptyFreshMs;
      if (nowMs() - own.countedAtMs > freshFor) own.counting ??= recount(phoneNumberId, own, limit);
      if (estimated < limit || own.counting === undefined) return estimated;
      await own.counting;
      return own.counted + own.acceptedSince;
    },
    add(phoneNumberId) {
      countOf(phoneNumberId).acceptedSince += 1;
    },
  };
}
