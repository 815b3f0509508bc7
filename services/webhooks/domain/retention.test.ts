import assert from "node:assert/strict";
import { test } from "node:test";
import { cutoffsOf, expiresBefore } from "./retention.ts";

const now = new Date("2026-11-22T12:00:00Z");

test("delivered ones are kept for a week, dead ones for a month", () => {
  assert.deepEqual(cutoffsOf({ deliveredHours: 168, deadHours: 720 }, now), {
    deliveredBefore: new Date("2026-11-15T12:00:00Z"),
    deadBefore: new Date("2026-10-23T12:00:00Z"),
  });
});

test("what waits is given up an hour after the last try was due", () => {
  assert.deepEqual(expiresBefore(345_600, now), new Date("2026-11-18T11:00:00Z"));
});
