// How long to wait before the next try.

/** Times in ms; the wait grows by `factor` with each failure and never above `maxMs` (before the jitter). */
export type Backoff = { firstMs: number; factor: number; maxMs: number };

/** After the n-th failure, n from 1. `random` is 0 to 1 and adds up to a fifth, so that copies do not come back in step. */
export function backoffMs({ firstMs, factor, maxMs }: Backoff, failures: number, random: number): number {
  const wait = Math.min(maxMs, firstMs * factor ** Math.max(0, failures - 1));
  return Math.round(wait * (1 + random / 5));
}
