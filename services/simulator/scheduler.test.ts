import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "#test/until.ts";
import { createRandom } from "./domain/random.ts";
import { createScheduler } from "./scheduler.ts";

test("actions run in the order of their instants, equal ones in the order of planning", () => {
  let now = 0;
  using scheduler = createScheduler(() => now);
  const random = createRandom(7);
  const planned = Array.from({ length: 500 }, (_, order) => ({ dueAt: 1_000_000 + Math.floor(random() * 50), order }));
  const ran: typeof planned = [];
  for (const action of planned) scheduler.at(action.dueAt, () => ran.push(action));
  now = 2_000_000;
  scheduler.runDue();
  assert.deepEqual(
    ran,
    planned.toSorted((a, b) => a.dueAt - b.dueAt || a.order - b.order),
  );
  assert.equal(scheduler.size(), 0);
});

test("what is not due yet waits for the clock", () => {
  let now = 0;
  using scheduler = createScheduler(() => now);
  let ran = 0;
  scheduler.at(3_600_000, () => (ran += 1));
  now = 3_599_999;
  scheduler.runDue();
  assert.equal(ran, 0);
  now = 3_600_000;
  scheduler.runDue();
  assert.equal(ran, 1);
});

test("the timer follows an earlier action planned later, and never runs one within the call", async () => {
  using scheduler = createScheduler(() => performance.now());
  const ran: string[] = [];
  const start = performance.now();
  scheduler.at(start + 40, () => ran.push("late"));
  scheduler.at(start, () => ran.push("now"));
  assert.deepEqual(ran, []);
  await until(() => ran.length === 2);
  assert.deepEqual(ran, ["now", "late"]);
});

test("clear forgets what was planned", () => {
  let now = 0;
  using scheduler = createScheduler(() => now);
  scheduler.at(10, () => assert.fail("ran"));
  scheduler.clear();
  now = 20;
  scheduler.runDue();
  assert.equal(scheduler.size(), 0);
});
