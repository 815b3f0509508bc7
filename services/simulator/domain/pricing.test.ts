import assert from "node:assert/strict";
import { test } from "node:test";
import { monthOf, type PricedCategory, priceOf } from "./pricing.ts";
import { isWindowOpen } from "./window.ts";

const before = Date.UTC(2026, 8, 30, 23, 59);
const since = Date.UTC(2026, 9, 1);

type Case = [
  sentence: string,
  category: PricedCategory,
  windowOpen: boolean,
  serviceDelivered: number,
  at: number,
  type: string,
];
const cases: Case[] = [
  ["marketing costs in an open window", "MARKETING", true, 0, since, "regular"],
  ["authentication costs in an open window", "AUTHENTICATION", true, 0, since, "regular"],
  ["utility outside the window costs", "UTILITY", false, 0, before, "regular"],
  ["utility inside the window was free until October 2026", "UTILITY", true, 0, before, "free_customer_service"],
  ["utility inside the window costs since then", "UTILITY", true, 0, since, "regular"],
  ["service was free until October 2026", "SERVICE", true, 5_000, before, "free_customer_service"],
  ["the thousandth service message of the month is free", "SERVICE", true, 999, since, "free_customer_service"],
  ["the next one costs", "SERVICE", true, 1_000, since, "regular"],
];
for (const [sentence, category, windowOpen, serviceDelivered, at, type] of cases) {
  test(sentence, () => {
    const price = priceOf({ category, windowOpen, serviceDelivered, at });
    assert.deepEqual(price, {
      billable: type === "regular",
      pricing_model: "PMP",
      type,
      category: category.toLowerCase(),
    });
  });
}

test("the month is the calendar's", () => {
  assert.equal(monthOf(before), "2026-09");
  assert.equal(monthOf(since), "2026-10");
});

const day = 24 * 3_600_000;
const windows: [sentence: string, lastInboundAt: number | undefined, now: number, open: boolean][] = [
  ["a user who never wrote has no window", undefined, since, false],
  ["a message opens it at once", since, since, true],
  ["the last millisecond is open", since, since + day - 1, true],
  ["the closing instant is closed", since, since + day, false],
];
for (const [sentence, lastInboundAt, now, open] of windows) {
  test(sentence, () => assert.equal(isWindowOpen(lastInboundAt, now), open));
}
