// What WhatsApp's throughput refusal (130429) does to the pace: half as fast, then back to full speed within a minute.

/** The share of the rate that was left at the last refusal. */
export type Slowdown = { share: number; atMs: number };

export const fullSpeed: Slowdown = { share: 1, atMs: 0 };

const recoveryMs = 60_000;
// Refusals of one burst come back together and count once.
const burstMs = 2_000;

function shareAt({ share, atMs }: Slowdown, nowMs: number): number {
  return Math.min(1, share + (nowMs - atMs) / recoveryMs);
}

/** After a refusal at `nowMs` (monotonic). */
export function afterThrottle(slowdown: Slowdown, nowMs: number): Slowdown {
  if (slowdown.share < 1 && nowMs - slowdown.atMs < burstMs) return slowdown;
  return { share: shareAt(slowdown, nowMs) / 2, atMs: nowMs };
}

/** Messages per second now: a whole number, at least 1. */
export function rateNow(messagesPerSecond: number, slowdown: Slowdown, nowMs: number): number {
  return Math.max(1, Math.floor(messagesPerSecond * shareAt(slowdown, nowMs)));
}
