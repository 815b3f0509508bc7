import assert from "node:assert/strict";
import { test } from "node:test";
import { nextAttemptAt } from "./retry.ts";

const week = 7 * 24 * 3_600_000;
const rule = { retryBaseMs: 1_000, retryMaxMs: 60_000, giveUpAfterMs: week };

const cases: [sentence: string, attempts: number, now: number, dueAt: number | undefined][] = [
  ["the first retry comes after a second", 1, 0, 1_000],
  ["each further one after twice as long", 4, 10_000, 18_000],
  ["never later than a minute", 7, 100_000, 160_000],
  ["nor after a thousand attempts", 1_000, 100_000, 160_000],
  ["a retry on the last instant of the week is made", 100, week - 60_000, week],
  ["a later one is not", 100, week - 59_999, undefined],
];
for (const [sentence, attempts, now, dueAt] of cases) {
  test(sentence, () => assert.equal(nextAttemptAt({ firstAt: 0, attempts }, rule, now), dueAt));
}
