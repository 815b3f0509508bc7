// When news that was not answered with 200 is sent again: each pause twice the last, up to a longest one, for so long.

export type RetryRule = {
  retryBaseMs: number;
  retryMaxMs: number;
  giveUpAfterMs: number;
};

export type Tried = {
  /** When it was first to be sent, ms. */
  firstAt: number;
  /** Attempts that failed, this one included. */
  attempts: number;
};

/** When to send it again (ms); undefined: it is given up. */
export function nextAttemptAt({ firstAt, attempts }: Tried, rule: RetryRule, now: number): number | undefined {
  const dueAt = now + Math.min(rule.retryMaxMs, rule.retryBaseMs * 2 ** (attempts - 1));
  return dueAt > firstAt + rule.giveUpAfterMs ? undefined : dueAt;
}
