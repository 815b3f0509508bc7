// How long to wait after a failure: doubling, bounded, never in step with others.
import type { Random } from "./clock.ts";

/** Before the jitter. */
export type BackoffLimits = { firstMs: number; mostMs: number };

const share = 0.2;

/** The wait after `failures` failures in a row (1 is the first), give or take a fifth. */
export function backoffMs(failures: number, { firstMs, mostMs }: BackoffLimits, random: Random): number {
  // 2^30 first waits are above any limit, and larger powers lose their meaning.
  const doubled = firstMs * 2 ** Math.min(failures - 1, 30);
  return Math.min(mostMs, doubled) * (1 - share + 2 * share * random());
}
