import assert from "node:assert/strict";
import { test } from "node:test";
import { type Limit, limitOfTier, tierOfReport } from "./tiers.ts";

const users = (count: number): Limit => ({ kind: "users", users: count });

const tiers: [tier: string, limit: Limit][] = [
  ["TIER_50", users(50)],
  ["TIER_250", users(250)],
  ["TIER_1K", users(1_000)],
  ["TIER_2K", users(2_000)],
  ["TIER_10K", users(10_000)],
  ["TIER_100K", users(100_000)],
  ["TIER_500K", users(500_000)],
  ["TIER_UNLIMITED", { kind: "unlimited" }],
  ["TIER_NOT_SET", { kind: "untold" }],
  ["", { kind: "untold" }],
  ["a tier of tomorrow", { kind: "untold" }],
];
for (const [tier, limit] of tiers) {
  test(`${tier || "no tier"} means ${limit.kind === "users" ? limit.users : limit.kind}`, () => {
    assert.deepEqual(limitOfTier(tier), limit);
  });
}

const reports: [sentence: string, reported: string | number, tier: string | undefined][] = [
  ["a tier is taken as it is", "TIER_2K", "TIER_2K"],
  ["a round number becomes its tier", 2_000, "TIER_2K"],
  ["a small number becomes its tier", 250, "TIER_250"],
  ["minus one is unlimited", -1, "TIER_UNLIMITED"],
  ["another negative number tells nothing", -2, undefined],
  ["a fraction tells nothing", 0.5, undefined],
  ["TIER_NOT_SET tells nothing", "TIER_NOT_SET", undefined],
];
for (const [sentence, reported, tier] of reports) {
  test(sentence, () => assert.equal(tierOfReport(reported), tier));
}
