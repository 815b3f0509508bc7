import assert from "node:assert/strict";
import { test } from "node:test";
import { testLog } from "#test/env/log.ts";
import { createQueueCounts } from "./queue-counts.ts";

const number = "601";
const limit = 3;

test("a queue that was full and emptied meanwhile refuses nobody", async () => {
  let nowMs = 0;
  let queued = limit;
  const counts = createQueueCounts(
    () => Promise.resolve(queued),
    testLog,
    () => nowMs,
  );
  await counts.estimate(number, limit);
  assert.equal(await counts.estimate(number, limit), limit);
  queued = 0;
  nowMs = 500;
  assert.equal(await counts.estimate(number, limit), limit, "asked at most once a second");
  nowMs = 60_000;
  assert.equal(await counts.estimate(number, limit), 0);
});

test("who has room does not wait for a count", async () => {
  const counts = createQueueCounts(() => new Promise(() => undefined), testLog);
  assert.equal(await counts.estimate(number, limit), 0);
  counts.add(number);
  assert.equal(await counts.estimate(number, limit), 1);
});

test("where nobody can count, what was known counts", async () => {
  const counts = createQueueCounts(() => Promise.reject(new Error("away")), testLog);
  assert.equal(await counts.estimate(number, limit), 0);
  for (let count = 0; count < limit; count += 1) counts.add(number);
  assert.equal(await counts.estimate(number, limit), limit);
});
