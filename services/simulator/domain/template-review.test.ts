import assert from "node:assert/strict";
import { test } from "node:test";
import { blockedUntil, decideCreate, decideEdit, decideReview, guideDelayMs } from "./template-review.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const at = 1_000 * dayMs;

const reviews: [sentence: string, category: string, body: string, status: string, with_: string][] = [
  ["a text passes", "UTILITY", "Hello", "APPROVED", "UTILITY"],
  ["a marked one is rejected for that reason", "MARKETING", "Win! [[reject:SCAM]]", "REJECTED", "SCAM"],
  ["utility that is marketing is approved as that", "UTILITY", "Sale [[marketing]]", "APPROVED", "MARKETING"],
  ["marketing stays marketing", "MARKETING", "Sale [[marketing]]", "APPROVED", "MARKETING"],
];
for (const [sentence, category, body, status, with_] of reviews) {
  test(sentence, () => {
    const review = decideReview(category, body);
    assert.deepEqual([review.status, "reason" in review ? review.reason : review.category], [status, with_]);
  });
}

const edits: [sentence: string, status: string, edits: number[], changesCategory: boolean, allowed: boolean][] = [
  ["an approved one may be edited", "APPROVED", [], false, true],
  ["not twice in 24 hours", "APPROVED", [at - dayMs + 1], false, false],
  ["but after them", "APPROVED", [at - dayMs], false, true],
  ["ten times in 30 days", "APPROVED", Array.from({ length: 9 }, (_, day) => at - (day + 2) * dayMs), false, true],
  ["not eleven times", "APPROVED", Array.from({ length: 10 }, (_, day) => at - (day + 2) * dayMs), false, false],
  ["its category stays", "APPROVED", [], true, false],
  ["a rejected one may be edited at any time", "REJECTED", [at - 1], true, true],
  ["a paused one too", "PAUSED", [at - 1], false, true],
  ["one in review not", "PENDING", [], false, false],
  ["a disabled one not", "DISABLED", [], false, false],
];
for (const [sentence, status, times, changesCategory, allowed] of edits) {
  test(`edit: ${sentence}`, () => {
    const error = decideEdit({ status, edits: times }, { changesCategory }, at);
    assert.equal(error === undefined, allowed);
  });
}

const creations: [
  sentence: string,
  before: number,
  templates: number,
  isVerified: boolean,
  code: number | undefined,
][] = [
  ["the hundredth of an hour", 99, 0, true, undefined],
  ["the one after it", 100, 0, true, 80007],
  ["the 250th of a business that is not verified", 0, 249, false, undefined],
  ["the one after it", 0, 250, false, 2388019],
  ["many of a verified one", 0, 250, true, undefined],
];
for (const [sentence, before, templates, isVerified, code] of creations) {
  test(`create: ${sentence}`, () => {
    const error = decideCreate({ creations: Array<number>(before).fill(at - hourMs + 1), templates, isVerified }, at);
    assert.equal(error?.subcode ?? error?.code, code);
  });
}

test("a creation counts for an hour", () => {
  const creationTimes = Array<number>(200).fill(at - hourMs);
  assert.equal(decideCreate({ creations: creationTimes, templates: 0, isVerified: true }, at), undefined);
});

test("a review takes two to six hours, or a day, by its text", () => {
  assert.equal(guideDelayMs(0), dayMs);
  assert.equal(guideDelayMs(4_294_967_290), dayMs);
  assert.equal(guideDelayMs(14_401), 2 * hourMs);
  assert.equal(guideDelayMs(14_399), 2 * hourMs + 14_399_000);
  assert.equal(guideDelayMs(1), 2 * hourMs + 1_000);
});

test("the name of an approved one is blocked for 30 days, that of a rejected one is free", () => {
  assert.equal(blockedUntil("APPROVED", at), at + 30 * dayMs);
  assert.equal(blockedUntil("REJECTED", at), undefined);
});
