import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bucket, type BucketRate, drain, levelAt, pairRate, take, throughputRate } from "./bucket.ts";

/** How many of the messages at these instants (ms) get through. */
function through(rate: BucketRate, instants: number[]): number {
  let bucket: Bucket | undefined;
  let taken = 0;
  for (const at of instants) {
    const next = take(bucket, rate, at);
    if (next === undefined) continue;
    bucket = next;
    taken += 1;
  }
  return taken;
}

const every = (ms: number, count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i * ms);

const cases: [sentence: string, rate: BucketRate, instants: number[], taken: number][] = [
  ["45 messages to one user may come at once", pairRate, every(0, 45), 45],
  ["the 46th is refused", pairRate, every(0, 46), 45],
  ["6 seconds later one more passes", pairRate, [...every(0, 45), 6_000, 6_000], 46],
  ["a millisecond before that none does", pairRate, [...every(0, 45), 5_999], 45],
  ["one in 6 seconds goes on for ever", pairRate, every(6_000, 500), 500],
  ["after 270 seconds of quiet the burst is back", pairRate, [...every(0, 45), ...every(0, 50, 270_000)], 90],
  ["80 a second pass at an even pace", throughputRate(80), every(12.5, 800), 800],
  ["100 a second are cut to 80 once the burst is spent", throughputRate(80), every(10, 1_000), 80 + 799],
  ["a clock that steps back refills nothing", throughputRate(2), [5_000, 5_000, 1_000], 2],
];
for (const [sentence, rate, instants, taken] of cases) {
  test(sentence, () => assert.equal(through(rate, instants), taken));
}

test("a user's own message takes a token but is never refused", () => {
  const rate = throughputRate(1);
  const bucket = drain(drain(undefined, rate, 0), rate, 0);
  assert.equal(levelAt(bucket, rate, 0), 0);
  assert.equal(levelAt(bucket, rate, 1_000), 1);
});
