// About how many messages wait for each number: enough for a queue limit, cheap enough for every Send.
import type { Log } from "#lib/log.ts";

export type QueueCounts = {
  /** Never waits; asks Postgres at most once a second, and rarely while the queue is less than half full. */
  estimate(phoneNumberId: string, limit: number): number;
  /** One more was accepted here. */
  add(phoneNumberId: string): void;
};

type Count = { counted: number; acceptedSince: number; countedAtMs: number; isCounting: boolean };

const freshMs = 1_000;
const halfEmptyFreshMs = 30_000;

export function createQueueCounts(
  count: (phoneNumberId: string, most: number) => Promise<number>,
  log: Log,
): QueueCounts {
  const counts = new Map<string, Count>();

  function countOf(phoneNumberId: string): Count {
    const known = counts.get(phoneNumberId);
    if (known !== undefined) return known;
    const unknown = { counted: 0, acceptedSince: 0, countedAtMs: Number.NEGATIVE_INFINITY, isCounting: false };
    counts.set(phoneNumberId, unknown);
    return unknown;
  }

  async function recount(phoneNumberId: string, own: Count, limit: number): Promise<void> {
    own.isCounting = true;
    try {
      own.counted = await count(phoneNumberId, limit);
      own.acceptedSince = 0;
    } catch (error) {
      log.warn({ err: error }, "queue could not be counted");
    } finally {
      own.countedAtMs = performance.now();
      own.isCounting = false;
    }
  }

  return {
    estimate(phoneNumberId, limit) {
      const own = countOf(phoneNumberId);
      const estimated = own.counted + own.acceptedSince;
      const freshFor = estimated > limit / 2 ? freshMs : halfEmptyFreshMs;
      if (!own.isCounting && performance.now() - own.countedAtMs > freshFor) void recount(phoneNumberId, own, limit);
      return estimated;
    },
    add(phoneNumberId) {
      countOf(phoneNumberId).acceptedSince += 1;
    },
  };
}
