import assert from "node:assert/strict";
import { test } from "node:test";
import { barredMs, dueUntil, type Standstill, termsAbove } from "./recovery.ts";

const now = new Date("2026-03-02T10:00:00Z");

test("terms after a recovery are above all that may have been granted, whatever the clock says", () => {
  assert.equal(termsAbove(7, now), now.getTime());
  assert.equal(termsAbove(now.getTime() + 5, now), now.getTime() + 1_000_005);
  assert.equal(termsAbove(7, new Date(0)), 1_000_007);
});

test("a recovery that a later restore made forgotten took lower terms", () => {
  const first = termsAbove(7, now);
  const hourLater = new Date(now.getTime() + 3_600_000);
  assert.ok(termsAbove(3, hourLater) > first + 1_000_000);
});

test("a holder whose clock was a minute ahead may have sent what is due in a minute", () => {
  assert.equal(dueUntil(now).toISOString(), "2026-03-02T10:01:00.000Z");
});

const standstills: [sentence: string, standstill: Standstill, ms: number][] = [
  ["without a recovery a lease may be granted", { isRunning: false, remainingMs: 0, termsAbove: 0 }, 0],
  ["a lease's time long ago bars nothing", { isRunning: false, remainingMs: -5, termsAbove: 9 }, 0],
  ["until a lease's time is over none is granted", { isRunning: false, remainingMs: 14_000, termsAbove: 9 }, 14_000],
  ["nor while the recovery runs", { isRunning: true, remainingMs: -5, termsAbove: 9 }, 1_000],
];
for (const [sentence, standstill, ms] of standstills) test(sentence, () => assert.equal(barredMs(standstill), ms));
