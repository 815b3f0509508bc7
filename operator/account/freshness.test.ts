import assert from "node:assert/strict";
import { test } from "node:test";
import { type Freshness, nextReadMs } from "./freshness.ts";

const quiet: Freshness = {
  readAtMs: 1_000_000,
  changedAtMs: -Infinity,
  newsAtMs: -Infinity,
  readsLately: 1,
  nowMs: 1_000_000,
};
const cases: [sentence: string, freshness: Freshness, expected: number][] = [
  ["what was never read is read now", { ...quiet, readAtMs: undefined }, 0],
  ["a quiet account is read each eight minutes", quiet, 480_000],
  ["no later", { ...quiet, nowMs: 1_480_000 }, 0],
  ["news are looked into soon", { ...quiet, newsAtMs: 1_001_000, nowMs: 1_001_500 }, 500],
  ["a storm of them each minute", { ...quiet, newsAtMs: 1_001_000, readsLately: 20, nowMs: 1_001_500 }, 58_500],
  ["news of a while ago at once", { ...quiet, newsAtMs: 1_300_000, nowMs: 1_300_000 }, 0],
  ["news that were looked into already do not count", { ...quiet, newsAtMs: 999_000 }, 480_000],
  ["after a change of the Secret each half minute, until pods have it", { ...quiet, changedAtMs: 990_000 }, 30_000],
  ["and then no more", { ...quiet, changedAtMs: 819_000, nowMs: 1_001_000 }, 479_000],
];
for (const [sentence, freshness, expected] of cases) {
  test(sentence, () => assert.equal(nextReadMs(freshness), expected));
}
