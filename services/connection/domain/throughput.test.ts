import assert from "node:assert/strict";
import { test } from "node:test";
import { rateWithin } from "./throughput.ts";

const cases: [sentence: string, wanted: number, level: string | undefined, rate: number][] = [
  ["a spec below the level counts", 20, "STANDARD", 20],
  ["STANDARD is 80", 500, "STANDARD", 80],
  ["HIGH is 1,000", 5_000, "HIGH", 1_000],
  ["HIGH does not raise the spec's rate", 500, "HIGH", 500],
  ["before the level is known, what every number has", 500, undefined, 80],
  ["and never more than the spec", 20, undefined, 20],
  ["a level without a rate limits nothing", 500, "NOT_APPLICABLE", 500],
  ["nor does a number without a level", 500, "", 500],
];

for (const [sentence, wanted, level, rate] of cases)
  test(sentence, () => assert.equal(rateWithin(wanted, level), rate));
