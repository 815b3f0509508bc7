import assert from "node:assert/strict";
import { test } from "node:test";
import { afterTierReport, isRestricted, learnIds, type NumberIds, type ReportedTier, scopeIdOf } from "./number.ts";

function ids(wabaId?: string, businessId?: string): NumberIds {
  return { phoneNumberId: "1", wabaId, businessId };
}

const scopes: [sentence: string, ids: NumberIds, scopeId: string][] = [
  ["numbers of a portfolio share its limit", ids("2", "3"), "3"],
  ["while the portfolio is not known, those of an account do", ids("2"), "2"],
  ["a number of which nothing is known stands alone", ids(), "1"],
];
for (const [sentence, given, scopeId] of scopes) {
  test(sentence, () => assert.equal(scopeIdOf(given), scopeId));
}

const number = (phoneNumberId: string, wabaId?: string, businessId?: string): NumberIds => ({
  phoneNumberId,
  wabaId,
  businessId,
});
const lessons: [sentence: string, known: NumberIds[], told: NumberIds[], changed: NumberIds[]][] = [
  ["an account told first is learnt", [number("1")], [number("1", "2")], [number("1", "2")]],
  ["what was told once is kept when it is not told again", [number("1", "2", "3")], [number("1")], []],
  ["the same again changes nothing", [number("1", "2", "3")], [number("1", "2", "3")], []],
  [
    "all numbers of the account learn the portfolio of one",
    [number("1", "2"), number("5", "2"), number("6", "9")],
    [number("1", "2", "3")],
    [number("1", "2", "3"), number("5", "2", "3")],
  ],
  [
    "a new number of the account inherits the portfolio",
    [number("1", "2", "3"), number("5")],
    [number("5", "2")],
    [number("5", "2", "3")],
  ],
  [
    "an account that changed hands takes all its numbers along",
    [number("1", "2", "3"), number("5", "2", "3")],
    [number("5", "2", "4")],
    [number("1", "2", "4"), number("5", "2", "4")],
  ],
  [
    "a number that moved to another account leaves its portfolio",
    [number("1", "2", "3"), number("5", "2", "3")],
    [number("5", "7")],
    [number("5", "7")],
  ],
  [
    "a portfolio told without the account is learnt",
    [number("1")],
    [number("1", undefined, "3")],
    [number("1", undefined, "3")],
  ],
];
for (const [sentence, known, told, changed] of lessons) {
  test(sentence, () => assert.deepEqual(learnIds(known, told), changed));
}

test("only RESTRICTED forbids to start a conversation", () => {
  for (const status of ["CONNECTED", "FLAGGED", "RATE_LIMITED", "UNKNOWN", ""])
    assert.equal(isRestricted(status), false);
  assert.equal(isRestricted("RESTRICTED"), true);
});

const at = (minute: number): Date => new Date(Date.UTC(2026, 2, 2, 12, minute));
const knownTier: ReportedTier = { tier: "TIER_2K", reportedAt: at(5) };
const reports: [
  sentence: string,
  before: ReportedTier,
  tier: string | undefined,
  reportedAt: Date,
  after: ReportedTier,
][] = [
  [
    "the first report is adopted",
    { tier: "TIER_NOT_SET", reportedAt: undefined },
    "TIER_250",
    at(1),
    { tier: "TIER_250", reportedAt: at(1) },
  ],
  ["a newer report is adopted", knownTier, "TIER_10K", at(6), { tier: "TIER_10K", reportedAt: at(6) }],
  ["a newer lower one too", knownTier, "TIER_250", at(6), { tier: "TIER_250", reportedAt: at(6) }],
  ["an older one is not", knownTier, "TIER_250", at(4), knownTier],
  ["the same again changes nothing", knownTier, "TIER_250", at(5), knownTier],
  ["one that tells nothing changes nothing", knownTier, undefined, at(6), knownTier],
];
for (const [sentence, before, tier, reportedAt, after] of reports) {
  test(sentence, () => assert.deepEqual(afterTierReport(before, tier, reportedAt), after));
}
