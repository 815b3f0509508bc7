// Waits for a condition instead of sleeping.
import { sleep } from "#lib/lifecycle.ts";

type UntilOptions = {
  timeoutMs?: number;
  /** What was waited for, for the failure. */
  message?: string;
};

const firstStepMs = 10;
const longestStepMs = 100;

/** Asks again and again until the answer is truthy, and returns it. A throw counts as "not yet"; the last one is the cause. */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 10_000, message = "condition" }: UntilOptions = {},
): Promise<Exclude<T, false | 0 | "" | null | undefined>> {
  const giveUpAt = performance.now() + timeoutMs;
  let lastError: unknown;
  for (let stepMs = firstStepMs; ; stepMs = Math.min(stepMs * 1.5, longestStepMs)) {
    try {
      const answer = await condition();
      if (isTruthy(answer)) return answer;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > giveUpAt) {
      throw new Error(`${message}: not within ${timeoutMs} ms`, { cause: lastError });
    }
    await sleep(stepMs);
  }
}

function isTruthy<T>(answer: T): answer is Exclude<T, false | 0 | "" | null | undefined> {
  return Boolean(answer);
}
