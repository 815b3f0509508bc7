import assert from "node:assert/strict";
import { test } from "node:test";
import { type Backoff, backoffMs } from "./backoff.ts";

const doubling: Backoff = { firstMs: 1_000, factor: 2, maxMs: 60_000 };

const cases: [sentence: string, backoff: Backoff, failures: number, random: number, waitMs: number][] = [
  ["the first failure waits the first time", doubling, 1, 0, 1_000],
  ["the third waits four times as long", doubling, 3, 0, 4_000],
  ["the wait ends at its maximum", doubling, 20, 0, 60_000],
  ["a huge count is no special case", doubling, 100_000, 0, 60_000],
  ["a count of 0 is taken as the first", doubling, 0, 0, 1_000],
  ["the jitter adds up to a fifth", doubling, 1, 1, 1_200],
  [
    "Meta's formula for the pair limit is 4 to the power of n seconds",
    { firstMs: 1_000, factor: 4, maxMs: 3_600_000 },
    4,
    0,
    64_000,
  ],
];

for (const [sentence, backoff, failures, random, waitMs] of cases) {
  test(sentence, () => assert.equal(backoffMs(backoff, failures, random), waitMs));
}
