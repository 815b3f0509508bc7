import assert from "node:assert/strict";
import { test } from "node:test";
import { createHolds, type Holds } from "./holds.ts";

const [m1, m2, m3] = [1, 2, 3].map((seq) => ({ messageId: String(seq), seq }));
assert.ok(m1 && m2 && m3);

const cases: [sentence: string, before: (holds: Holds) => void, isBehind: boolean][] = [
  ["without a message put back nothing is held", () => undefined, false],
  ["what is behind a message that was put back is held", (holds) => holds.putBack("k", m1), true],
  ["other recipients are not concerned", (holds) => holds.putBack("other", m1), false],
  ["an earlier message is not held by a later one", (holds) => holds.putBack("k", m3), false],
  ["a message does not hold itself", (holds) => holds.putBack("k", m2), false],
  [
    "a claim that is asked before the wait is written may not know of it",
    (holds) => {
      holds.putBack("k", m1);
      holds.claim();
    },
    true,
  ],
  [
    "the answer to a claim that was under way when the wait was written may not know of it either",
    (holds) => {
      holds.claim();
      holds.putBack("k", m1);
      holds.written("1");
    },
    true,
  ],
  [
    "from the next claim on the ledger holds what is behind",
    (holds) => {
      holds.putBack("k", m1);
      holds.claim();
      holds.written("1");
      holds.claim();
    },
    false,
  ],
  [
    "each wait counts by itself",
    (holds) => {
      holds.putBack("k", m1);
      holds.written("1");
      holds.claim();
      holds.putBack("k", m1);
      holds.claim();
    },
    true,
  ],
  [
    "an outcome that was no wait is no matter",
    (holds) => {
      holds.putBack("k", m1);
      holds.written("3");
      holds.claim();
    },
    true,
  ],
];

test("the waits are written when each of them is", () => {
  const holds = createHolds();
  assert.ok(holds.areWritten());
  holds.putBack("k", m1);
  holds.putBack("other", m2);
  holds.written("1");
  assert.equal(holds.areWritten(), false);
  holds.written("2");
  assert.ok(holds.areWritten());
});

for (const [sentence, before, isBehind] of cases)
  test(sentence, () => {
    const holds = createHolds();
    before(holds);
    assert.equal(holds.isBehind("k", m2), isBehind);
  });
