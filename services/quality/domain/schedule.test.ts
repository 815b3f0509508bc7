import assert from "node:assert/strict";
import { test } from "node:test";
import { dueAfterReading, retryAfterMs } from "./schedule.ts";

function time(text: string): Date {
  return new Date(`2026-03-02T${text}Z`);
}

test("news that come during a reading ask for another one", () => {
  assert.deepEqual(dueAfterReading(time("12:02"), time("12:02"), time("13:00")), time("13:00"));
  assert.deepEqual(dueAfterReading(time("12:02"), time("12:01"), time("13:00")), time("12:01"));
});

test("a reading besides the timetable does not change it", () => {
  assert.deepEqual(dueAfterReading(undefined, time("12:40"), time("13:00")), time("12:40"));
});

test("retries wait 5 s, doubled up to 10 minutes", () => {
  assert.deepEqual([1, 2, 3, 7, 8, 1_000].map(retryAfterMs), [5_000, 10_000, 20_000, 320_000, 600_000, 600_000]);
});
