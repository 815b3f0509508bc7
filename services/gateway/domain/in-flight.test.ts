import assert from "node:assert/strict";
import { test } from "node:test";
import { createInFlight } from "./in-flight.ts";

const cases: [sentence: string, taken: number[], next: number, expected: boolean][] = [
  ["the first is taken", [], 10, true],
  ["the last that fits is taken", [50], 50, true],
  ["one byte more is refused", [50], 51, false],
  ["one request more is refused", [1, 1, 1], 1, false],
];
for (const [sentence, taken, next, expected] of cases) {
  test(sentence, () => {
    const inFlight = createInFlight({ requests: 3, bytes: 100 });
    for (const bytes of taken) inFlight.take(bytes);
    assert.equal(inFlight.take(next), expected);
  });
}

test("what is released can be taken again, and a refusal takes nothing", () => {
  const inFlight = createInFlight({ requests: 1, bytes: 100 });
  assert.equal(inFlight.take(100), true);
  assert.equal(inFlight.take(1), false);
  inFlight.release(100);
  assert.equal(inFlight.requests, 0);
  assert.equal(inFlight.take(100), true);
});
