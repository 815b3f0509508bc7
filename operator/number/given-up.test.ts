import assert from "node:assert/strict";
import { test } from "node:test";
import { fromMark, retryAfterMs, toMark } from "./given-up.ts";

const gaveUp = {
  epoch: 4,
  specHash: "spec",
  tries: 2,
  why: "ImagePullBackOff",
  retryAt: new Date("2026-03-02T10:00:00.000Z"),
};

test("what is written on a pod is read from it", () => assert.deepEqual(fromMark(toMark(gaveUp)), gaveUp));

for (const mark of [undefined, "", "null", "[]", "{}", '{"epoch":1}', toMark(gaveUp).replace("2026", "when")]) {
  test(`what somebody else wrote there is nothing: ${mark ?? "nothing"}`, () =>
    assert.equal(fromMark(mark), undefined));
}

for (const [tries, seconds] of [
  [1, 300],
  [2, 600],
  [4, 2_400],
  [5, 3_600],
  [1_000, 3_600],
] as const) {
  test(`standby ${tries} that is given up is followed by another after ${seconds} s`, () =>
    assert.equal(retryAfterMs(tries, 300_000), seconds * 1_000));
}

test("a standby is not waited for less than it may take", () => assert.equal(retryAfterMs(1, 7_200_000), 7_200_000));
