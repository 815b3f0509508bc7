import assert from "node:assert/strict";
import { test } from "node:test";
import { virtualClock } from "#test/virtual-clock.ts";
import { decideLease, type LeaseSpec } from "./lease.ts";
import { toMicroTime } from "./micro-time.ts";
import { createTenure } from "./tenure.ts";

const now = "2026-01-01T00:00:00.000000Z";
const other: LeaseSpec = {
  holderIdentity: "other",
  leaseDurationSeconds: 15,
  leaseTransitions: 3,
  acquireTime: "then",
};
const taken = { holderIdentity: "me", leaseDurationSeconds: 15, renewTime: now, acquireTime: now, leaseTransitions: 4 };

const cases: [sentence: string, lease: LeaseSpec, unchangedForMs: number, expected: LeaseSpec | undefined][] = [
  ["another's lease is left alone", other, 0, undefined],
  ["it is left alone until its duration is over", other, 14_999, undefined],
  ["it is taken when nobody was seen to renew it for its duration", other, 15_000, taken],
  ["its own duration counts, not ours", { ...other, leaseDurationSeconds: 60 }, 30_000, undefined],
  ["one that was given back is taken at once", { ...other, holderIdentity: "" }, 0, taken],
  [
    "our own is renewed in the same term",
    { ...other, holderIdentity: "me" },
    99_000,
    { ...taken, acquireTime: "then", leaseTransitions: 3 },
  ],
];
for (const [sentence, lease, unchangedForMs, expected] of cases) {
  test(sentence, () => {
    assert.deepEqual(decideLease({ lease, identity: "me", unchangedForMs, leaseSeconds: 15, now }), expected);
  });
}

test("a MicroTime has six digits", () => assert.equal(toMicroTime(1_500), "1970-01-01T00:00:01.500000Z"));

test("a term lasts for the deadline from the start of the renewal, not from its end", async () => {
  const clock = virtualClock();
  let expired = 0;
  const tenure = createTenure(clock, 10_000, () => (expired += 1));
  const started = tenure.moment();
  await clock.advance(4_000);
  tenure.renew(7, started);
  await clock.advance(5_999);
  assert.deepEqual([tenure.term(), expired], [7, 0]);
  await clock.advance(1);
  assert.deepEqual([tenure.term(), expired], [undefined, 1]);
});

test("a term is over when the machine wakes up, before any timer fires", () => {
  const clock = virtualClock();
  const tenure = createTenure(clock, 10_000, () => undefined);
  tenure.renew(7, tenure.moment());
  clock.sleep(10_000);
  assert.equal(tenure.term(), undefined);
});
