import assert from "node:assert/strict";
import { test } from "node:test";
import { dueAfterChange, dueAfterNews, dueAfterReading, retryAfterMs } from "./schedule.ts";

function time(text: string): Date {
  return new Date(`2026-03-02T${text}Z`);
}

const dues: [sentence: string, syncedAt: Date | undefined, dueAt: Date, due: Date][] = [
  ["an account never read is read at once", undefined, time("13:00"), time("12:00")],
  ["news are followed at once", time("11:00"), time("13:00"), time("12:00")],
  ["but not within half a minute of the last reading", time("11:59:50"), time("13:00"), time("12:00:20")],
  ["what is due anyway is not put off", time("11:59:50"), time("11:59:55"), time("11:59:55")],
];
for (const [sentence, syncedAt, dueAt, due] of dues) {
  test(sentence, () => assert.deepEqual(dueAfterNews(syncedAt, dueAt, time("12:00")), due));
}

test("a change of ours is read when it has settled, within the same bounds", () => {
  const due = (syncedAt: Date | undefined, dueAt: Date | undefined) => dueAfterChange(syncedAt, dueAt, time("12:00"));
  assert.deepEqual(due(undefined, undefined), time("12:00:10"));
  assert.deepEqual(due(time("11:59:50"), time("13:00")), time("12:00:20"));
  assert.deepEqual(due(time("11:00"), time("12:00:01")), time("12:00:01"));
});

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
