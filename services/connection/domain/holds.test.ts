import assert from "node:assert/strict";
import { test } from "node:test";
import { createHolds } from "./holds.ts";

const [m1, m2, m3, m4] = ["1", "2", "3", "4"].map((id) => ({ messageId: id, acceptedAtMs: Number(id) }));
assert.ok(m1 && m2 && m3 && m4);

test("without a message put back everything may go", () => {
  assert.equal(createHolds().behind("k", m1, 0), undefined);
});

test("what is behind a message that was put back follows it, each a gap later", () => {
  const holds = createHolds();
  holds.putBack("k", m1, 10_000, 6_000);
  assert.deepEqual(holds.behind("k", m2, 5_000), { untilMs: 16_000, gapMs: 6_000 });
  holds.putBack("k", m2, 16_000, 6_000);
  assert.deepEqual(holds.behind("k", m3, 5_000), { untilMs: 22_000, gapMs: 6_000 });
});

test("the one that was put back may go when it comes again, and those behind it still may not", () => {
  const holds = createHolds();
  holds.putBack("k", m1, 10_000, 6_000);
  holds.putBack("k", m2, 16_000, 6_000);
  assert.equal(holds.behind("k", m1, 10_000), undefined);
  assert.deepEqual(holds.behind("k", m3, 10_000), { untilMs: 22_000, gapMs: 6_000 });
  assert.equal(holds.behind("k", m2, 16_000), undefined);
});

test("one that is put back again holds those that were put back behind it", () => {
  const holds = createHolds();
  holds.putBack("k", m1, 10_000, 6_000);
  holds.putBack("k", m2, 16_000, 6_000);
  holds.putBack("k", m1, 74_000, 0);
  assert.deepEqual(holds.behind("k", m2, 16_000), { untilMs: 74_000, gapMs: 0 });
});

test("an earlier message is not held by a later one", () => {
  const holds = createHolds();
  holds.putBack("k", m2, 10_000, 0);
  assert.equal(holds.behind("k", m1, 0), undefined);
});

test("when it is due nothing is held any more: the ledger gives both in order", () => {
  const holds = createHolds();
  holds.putBack("k", m1, 10_000, 0);
  assert.equal(holds.behind("k", m2, 10_000), undefined);
});

test("other recipients are not concerned", () => {
  const holds = createHolds();
  holds.putBack("k", m1, 10_000, 0);
  assert.equal(holds.behind("other", m2, 0), undefined);
});

test("the memory has an end, and forgets the oldest", () => {
  const holds = createHolds(2);
  for (const key of ["a", "b", "c"]) holds.putBack(key, m1, 10_000, 0);
  assert.equal(holds.behind("a", m4, 0), undefined);
  assert.deepEqual(holds.behind("c", m4, 0), { untilMs: 10_000, gapMs: 0 });
});
