// Token buckets: a number's throughput and the pair rate between a number and one user.

/** What is left in a bucket, as of `at` (ms). */
export type Bucket = { level: number; at: number };

export type BucketRate = {
  capacity: number;
  /** Tokens that come back in a millisecond. */
  perMs: number;
};

/** WhatsApp's pair rate: one message in 6 seconds, of which 45 may be spent at once. */
export const pairRate: BucketRate = { capacity: 45, perMs: 1 / 6_000 };

/** A number's throughput; up to one second's worth may come at once. */
export function throughputRate(messagesPerSecond: number): BucketRate {
  return { capacity: messagesPerSecond, perMs: messagesPerSecond / 1_000 };
}

/** The tokens at `now`. A bucket never used is full. */
export function levelAt(bucket: Bucket | undefined, { capacity, perMs }: BucketRate, now: number): number {
  if (bucket === undefined) return capacity;
  return Math.min(capacity, bucket.level + Math.max(0, now - bucket.at) * perMs);
}

/** The bucket without one token, or undefined if it holds none. */
export function take(bucket: Bucket | undefined, rate: BucketRate, now: number): Bucket | undefined {
  const level = levelAt(bucket, rate, now);
  // A sum of many small refills ends a hair below the whole token that it stands for.
  return level < 1 - 1e-9 ? undefined : { level: level - 1, at: now };
}

/** The bucket without one token even if it holds none: for what cannot be refused, such as a user's own message. */
export function drain(bucket: Bucket | undefined, rate: BucketRate, now: number): Bucket {
  return { level: Math.max(0, levelAt(bucket, rate, now) - 1), at: now };
}
