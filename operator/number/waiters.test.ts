import assert from "node:assert/strict";
import { test } from "node:test";
import { createFleet } from "./fleet.ts";
import type { NumberPlan } from "./plan.ts";
import { createWaiters } from "./waiters.ts";

const rules = { surge: { percent: 1, min: 2, max: 2 }, canary: undefined, revision: "", wasCanaryOver: false };
const idle: NumberPlan = { actions: [], status: {}, waitsFor: undefined, lookAgainMs: undefined };
const waiting: NumberPlan = { ...idle, waitsFor: "others move" };

/** Ten numbers of one class, of which so many move, wait. */
function setUp(moving: number) {
  const fleet = createFleet(() => 0);
  const woken: string[] = [];
  const waiters = createWaiters(fleet, (key) => woken.push(key));
  const keys = Array.from({ length: 10 }, (_, index) => `bench/number-${index}`);
  const stand = (key: string, isMoving: boolean): void =>
    fleet.note(key, { className: "default", isMoving, isTakingOver: false, isMoved: false, isReady: true });
  keys.forEach((key, index) => stand(key, index < moving));
  for (const key of keys.slice(moving)) waiters.attend(key, "default", rules, waiting, false);
  const look = (key: string): void => void waiters.attend(key, "default", rules, idle, false);
  return { woken, look, stand, waiters };
}

test("room is given once, however often others are looked at before the woken one is", () => {
  const { woken, look, stand } = setUp(2);
  stand("bench/number-0", false);
  for (let times = 0; times < 5; times += 1) look("bench/number-0");
  assert.deepEqual(woken, ["bench/number-2"]);
});

test("one that was woken and had nothing to do leaves its room to the next", () => {
  const { woken, look, stand } = setUp(2);
  stand("bench/number-0", false);
  look("bench/number-0");
  look("bench/number-2");
  assert.deepEqual(woken, ["bench/number-2", "bench/number-3"]);
});

test("one that is gone leaves its room too", () => {
  const { woken, look, stand, waiters } = setUp(2);
  stand("bench/number-0", false);
  look("bench/number-0");
  waiters.leave("bench/number-2");
  look("bench/number-0");
  assert.deepEqual(woken, ["bench/number-2", "bench/number-3"]);
});

test("one that cannot be looked at holds its room up for a while only", () => {
  const { woken, look, stand } = setUp(2);
  stand("bench/number-0", false);
  for (let times = 0; times < 1_002; times += 1) look("bench/number-0");
  assert.deepEqual(woken, ["bench/number-2", "bench/number-3"]);
});
