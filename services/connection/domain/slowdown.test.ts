import assert from "node:assert/strict";
import { test } from "node:test";
import { afterThrottle, fullSpeed, rateNow } from "./slowdown.ts";

test("without a refusal the whole rate goes", () => {
  assert.equal(rateNow(80, fullSpeed, 0), 80);
});

test("a refusal halves the pace, and a minute later it is whole again", () => {
  const slow = afterThrottle(fullSpeed, 1_000_000);
  assert.equal(rateNow(80, slow, 1_000_000), 40);
  assert.equal(rateNow(80, slow, 1_015_000), 60);
  assert.equal(rateNow(80, slow, 1_030_000), 80);
  assert.equal(rateNow(80, slow, 9_000_000), 80);
});

test("the refusals of one burst count once", () => {
  const slow = afterThrottle(fullSpeed, 1_000_000);
  assert.equal(afterThrottle(slow, 1_001_999), slow);
});

test("a later refusal halves what there is then", () => {
  const slower = afterThrottle(afterThrottle(fullSpeed, 1_000_000), 1_006_000);
  assert.equal(rateNow(100, slower, 1_006_000), 30);
});

test("one message in a second always goes", () => {
  let slow = fullSpeed;
  for (let at = 0; at < 20; at += 1) slow = afterThrottle(slow, at * 3_000);
  assert.equal(rateNow(5, slow, 57_000), 1);
});
