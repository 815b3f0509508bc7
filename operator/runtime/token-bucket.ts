// A token bucket that may go into debt: a reservation is never refused, it is told how long to wait.

export type TokenBucket = {
  /** Takes a token and tells in how many ms it may be used; 0 is now. */
  reserve(nowMs: number): number;
  /** Takes a token if there is one. */
  tryTake(nowMs: number): boolean;
};

/** Full at the start. */
export function tokenBucket({ perSecond, burst }: { perSecond: number; burst: number }): TokenBucket {
  let tokens = burst;
  let filledAtMs = 0;
  const fill = (nowMs: number): void => {
    tokens = Math.min(burst, tokens + (Math.max(0, nowMs - filledAtMs) * perSecond) / 1_000);
    filledAtMs = Math.max(filledAtMs, nowMs);
  };
  return {
    reserve(nowMs) {
      fill(nowMs);
      tokens -= 1;
      return tokens >= 0 ? 0 : (-tokens * 1_000) / perSecond;
    },
    tryTake(nowMs) {
      fill(nowMs);
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
