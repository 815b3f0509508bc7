import assert from "node:assert/strict";
import { test } from "node:test";
import { percentile, percentiles, table } from "./statistics.ts";

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

test("a table pads its columns", () => {
  assert.equal(
    table([
      ["what", "n"],
      ["a", "10"],
    ]),
    "| what | n  |\n| ---- | -- |\n| a    | 10 |",
  );
});
