import assert from "node:assert/strict";
import { test } from "node:test";
import { longestGap, percentile, percentiles, perSecondOf, slopePerMinute, table } from "./statistics.ts";

const cases: [sentence: string, sorted: number[], share: number, expected: number][] = [
  ["the median of one value is that value", [7], 0.5, 7],
  ["the median of an even count is the lower middle", [1, 2, 3, 4], 0.5, 2],
  ["p99 of a hundred is the ninety-ninth", Array.from({ length: 100 }, (_, index) => index + 1), 0.99, 99],
  ["p95 of few values is the largest", [1, 2, 3], 0.95, 3],
];
for (const [sentence, sorted, share, expected] of cases) {
  test(sentence, () => assert.equal(percentile(sorted, share), expected));
}

test("percentiles sort as numbers", () => {
  assert.deepEqual(percentiles([10, 9, 2]), { p50: 9, p95: 10, p99: 10, max: 10, count: 3 });
});

test("a slope is per minute, whatever the distance of the points", () => {
  const points = [0, 5_000, 20_000, 60_000].map((atMs) => ({ atMs, value: 100 + (3 * atMs) / 60_000 }));
  assert.ok(Math.abs(slopePerMinute(points) - 3) < 1e-9);
});

const moments = [0, 100, 200, 1_200, 1_300, 5_300];
const gaps: [sentence: string, fromMs: number, toMs: number, gap: object | undefined][] = [
  ["the longest of those in the time", 150, 1_250, { fromMs: 200, toMs: 1_200, ms: 1_000 }],
  ["one that has begun before it counts whole", 700, 1_250, { fromMs: 200, toMs: 1_200, ms: 1_000 }],
  ["one that ends after it counts whole", 1_250, 1_400, { fromMs: 1_300, toMs: 5_300, ms: 4_000 }],
  ["one that has ended before it does not count", 1_200, 1_250, { fromMs: 1_200, toMs: 1_300, ms: 100 }],
  ["none where nothing follows", 5_300, 6_000, undefined],
];
for (const [sentence, fromMs, toMs, gap] of gaps) {
  test(`longest gap: ${sentence}`, () => assert.deepEqual(longestGap(moments, fromMs, toMs), gap));
}

test("moments are counted by second, seconds without any too", () => {
  assert.deepEqual(perSecondOf(moments), [3, 2, 0, 0, 0, 1]);
});

test("a table pads its columns", () => {
  assert.equal(
    table([
      ["what", "n"],
      ["a", "10"],
    ]),
    "| what | n  |\n| ---- | -- |\n| a    | 10 |",
  );
});
