import assert from "node:assert/strict";
import { test } from "node:test";
import { type RolloutFacts, surgeOf, turnToLeaveNode, turnToTakeSpec } from "./rollout.ts";

const surge = { percent: 1, min: 1, max: 50 };
const facts = (changes: Partial<RolloutFacts>): RolloutFacts => ({
  surge,
  canary: { count: 2, pauseMs: 60_000 },
  size: 1_000,
  moving: 0,
  moved: 0,
  movedUnready: 0,
  sinceLastReadyMs: 0,
  isCanaryOver: false,
  ...changes,
});

for (const [size, expected] of [
  [1, 1],
  [99, 1],
  [101, 2],
  [1_000, 10],
  [20_000, 50],
] as const) {
  test(`of ${size} numbers ${expected} may move at once`, () => assert.equal(surgeOf(surge, size), expected));
}

const cases: Record<string, { given: Partial<RolloutFacts>; allowed: boolean; why?: RegExp }> = {
  "the first canary may move": { given: {}, allowed: true },
  "the last canary may move while another is not Ready": {
    given: { moved: 1, movedUnready: 1, moving: 1 },
    allowed: true,
  },
  "the rest waits for canaries that are not Ready": {
    given: { moved: 2, movedUnready: 1 },
    allowed: false,
    why: /^1 of 2 canaries are not Ready$/,
  },
  "the rest waits while the canaries are watched": {
    given: { moved: 2, sinceLastReadyMs: 59_001 },
    allowed: false,
    why: /for another 1 s$/,
  },
  "the rest follows after the pause": { given: { moved: 2, sinceLastReadyMs: 60_000 }, allowed: true },
  "after the pause the surge alone counts": {
    given: { moved: 300, movedUnready: 9, moving: 9, isCanaryOver: true },
    allowed: true,
  },
  "a crash during the watch does not hand the spec to the rest": {
    given: { moved: 3, movedUnready: 1 },
    allowed: false,
    why: /^1 of 3 canaries are not Ready$/,
  },
  "no more than the surge at once": {
    given: { moved: 300, movedUnready: 10, moving: 10, isCanaryOver: true },
    allowed: false,
    why: /^10 numbers of the class move already, at most 10 may$/,
  },
  "a class that is smaller than its canaries has none": {
    given: { size: 2, moved: 1, sinceLastReadyMs: 0 },
    allowed: true,
  },
  "a class without canaries starts with the surge": {
    given: { canary: undefined, moved: 1, movedUnready: 1 },
    allowed: true,
  },
};

for (const [sentence, { given, allowed, why }] of Object.entries(cases)) {
  test(sentence, () => {
    const turn = turnToTakeSpec(facts(given));
    assert.equal(turn.isAllowed, allowed);
    if (!turn.isAllowed) assert.match(turn.why, why ?? /./);
  });
}

test("a draining node's numbers do not wait for canaries", () => {
  assert.deepEqual(turnToLeaveNode(facts({ moved: 2, movedUnready: 2, moving: 2 })), { isAllowed: true });
});
