import assert from "node:assert/strict";
import { test } from "node:test";
import { createProgress } from "./progress.ts";

test("a loop that has not begun, or was stopped, is not stuck", () => {
  const progress = createProgress();
  assert.equal(progress.isStuck(1_000_000), false);
  progress.turn(0, 1_000);
  progress.stop();
  assert.equal(progress.isStuck(1_000_000), false);
});

test("a loop is stuck when it is late by more than 15 s, until its next turn", () => {
  const progress = createProgress();
  progress.turn(1_000, 5_000);
  assert.equal(progress.isStuck(21_000), false);
  assert.equal(progress.isStuck(21_001), true);
  progress.turn(30_000, 5_000);
  assert.equal(progress.isStuck(30_000), false);
});
