// How fast a number sends: at most its rate in any second that one may look at, a user at most 45 at once and then one in 6 s.
// Times are readings of a monotonic clock in ms: a wall clock that jumps must not allow a burst.

// The count is over a little more than a second: what leaves here evenly may arrive up to this much closer together.
const windowMs = 1_020;

// Bulk goes evenly, in portions of this time, so that a reply never finds the whole second used up by a broadcast.
const bulkPortionMs = 50;

/** Paces one number. A slot is reserved before Begin and taken when the message goes to the wire, or given back. */
export type NumberPace = {
  setRate(messagesPerSecond: number): void;
  /** How many more may be reserved now. */
  free(nowMs: number): number;
  /** In how many ms a slot becomes free by time alone; undefined when only a reserved one that is taken or given back could. */
  freeInMs(nowMs: number): number | undefined;
  /** In how many ms the bulk lane may take a slot; 0: now. */
  bulkInMs(nowMs: number): number;
  reserve(lane: "reply" | "bulk", nowMs: number): void;
  take(nowMs: number): void;
  giveBack(): void;
  /** Messages that went to the wire in the last second. */
  used(nowMs: number): number;
};

export function createNumberPace(messagesPerSecond: number): NumberPace {
  let rate = messagesPerSecond;
  let reserved = 0;
  let bulkFullAtMs = 0;
  let taken: number[] = [];
  let oldest = 0;

  function countSince(nowMs: number): number {
    while (oldest < taken.length && (taken[oldest] ?? 0) <= nowMs - windowMs) oldest += 1;
    if (oldest > 1_024) {
      taken = taken.slice(oldest);
      oldest = 0;
    }
    return taken.length - oldest;
  }

  return {
    setRate(next) {
      rate = next;
    },
    free: (nowMs) => Math.max(0, rate - reserved - countSince(nowMs)),
    freeInMs(nowMs) {
      const excess = countSince(nowMs) + reserved - rate;
      if (excess < 0) return 0;
      const leaving = taken[oldest + excess];
      return leaving === undefined ? undefined : leaving + windowMs - nowMs;
    },
    bulkInMs(nowMs) {
      const intervalMs = 1_000 / rate;
      return bucketWaitMs(bulkFullAtMs, nowMs, { burst: Math.max(1, bulkPortionMs / intervalMs), intervalMs });
    },
    reserve(lane, nowMs) {
      reserved += 1;
      if (lane === "bulk") bulkFullAtMs = bucketAfter(bulkFullAtMs, nowMs, 1_000 / rate);
    },
    take(nowMs) {
      reserved -= 1;
      taken.push(nowMs);
    },
    giveBack() {
      reserved -= 1;
    },
    used(nowMs) {
      countSince(nowMs);
      return taken.length - taken.findLastIndex((at) => at <= nowMs - 1_000) - 1;
    },
  };
}

// A token bucket whose whole state is the moment at which it is full again.
type Bucket = { burst: number; intervalMs: number };

/** In whole ms: the fractions of a clock's readings do not add up exactly, and less than that is nothing to wait for. */
function bucketWaitMs(fullAtMs: number, nowMs: number, { burst, intervalMs }: Bucket): number {
  return Math.max(0, Math.floor(Math.max(fullAtMs, nowMs) + intervalMs - nowMs - burst * intervalMs));
}

function bucketAfter(fullAtMs: number, nowMs: number, intervalMs: number): number {
  return Math.max(fullAtMs, nowMs) + intervalMs;
}

/** Meta's limit from one number to one user [cloud-api §7.2]. */
export const pairBucket = { burst: 45, intervalMs: 6_000 } satisfies Bucket;

export type PairPaces = {
  /** How long this user has to wait for the next message; 0: not at all. */
  waitMs(recipient: string, nowMs: number): number;
  /** The waits of messages that would go in this order, each behind the earlier ones to its user. Takes nothing. */
  plan(recipients: readonly string[], nowMs: number): number[];
  take(recipient: string, nowMs: number): void;
  /** Users remembered; one whose bucket is full again is forgotten first. */
  size(): number;
};

/** Over the limit the least recently used user is forgotten: the upstream refuses what that lets through (131056). */
export function createPairPaces(limit = 20_000): PairPaces {
  const fullAtMs = new Map<string, number>();
  return {
    waitMs: (recipient, nowMs) => bucketWaitMs(fullAtMs.get(recipient) ?? 0, nowMs, pairBucket),
    plan(recipients, nowMs) {
      const planned = new Map<string, number>();
      return recipients.map((recipient) => {
        const full = planned.get(recipient) ?? fullAtMs.get(recipient) ?? 0;
        planned.set(recipient, bucketAfter(full, nowMs, pairBucket.intervalMs));
        return bucketWaitMs(full, nowMs, pairBucket);
      });
    },
    take(recipient, nowMs) {
      const next = bucketAfter(fullAtMs.get(recipient) ?? 0, nowMs, pairBucket.intervalMs);
      fullAtMs.delete(recipient);
      fullAtMs.set(recipient, next);
      for (const [key, at] of fullAtMs) {
        if (at > nowMs && fullAtMs.size <= limit) break;
        fullAtMs.delete(key);
      }
    },
    size: () => fullAtMs.size,
  };
}
