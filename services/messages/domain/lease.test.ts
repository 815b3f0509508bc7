import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Asker,
  decideLease,
  isHolder,
  isNews,
  isSameStanding,
  type Lease,
  type LeaseDecision,
  type ToldStanding,
} from "./lease.ts";

const lease: Lease = {
  term: 7,
  epoch: 3,
  holder: "pod-a",
  bootId: "boot-1",
  address: "10.0.0.1:1",
  state: "held",
  ended: undefined,
};
const asker: Asker = { holder: "pod-a", bootId: "boot-2", epoch: 3, address: "10.0.0.2:1", takeOver: false };

function granted(term: number, cause: string, by: Asker): object {
  const { holder, bootId, epoch, address } = by;
  return { kind: "granted", cause, lease: { term, epoch, holder, bootId, address, state: "held", ended: undefined } };
}

const other = { ...asker, holder: "pod-b" };
const next = { ...other, epoch: 4 };
const old = { ...other, epoch: 2 };
const held: LeaseDecision = { kind: "held", holder: "pod-a", handOver: false };
const asked: LeaseDecision = { kind: "held", holder: "pod-a", handOver: true };
const fenced: LeaseDecision = { kind: "fenced", by: "epoch" };
const over: LeaseDecision = { kind: "fenced", by: "over" };
const kept: LeaseDecision = { kind: "kept" };
const again = { ...asker, bootId: "boot-1" };

const never: Lease = { ...lease, term: 0, epoch: 0, holder: "", bootId: "", address: "", state: "free" };

const cases: [sentence: string, before: Lease, isAlive: boolean, asker: Asker, after: object][] = [
  ["a number never held is granted with term 1", never, false, other, granted(1, "first", other)],
  [
    "after a recovery the first term is above those that may be forgotten",
    { ...never, term: 5_000 },
    false,
    other,
    granted(5_001, "first", other),
  ],
  [
    "a lease that a recovery ended is granted, to its last holder too",
    { ...lease, term: 5_000, state: "free", ended: "recovered" },
    false,
    asker,
    granted(5_001, "recovered", asker),
  ],
  [
    "a released lease is granted",
    { ...lease, state: "free", ended: "released" },
    false,
    other,
    granted(8, "released", other),
  ],
  [
    "a revoked lease is granted",
    { ...lease, state: "free", ended: "revoked" },
    false,
    next,
    granted(8, "revoked", next),
  ],
  ["an expired lease is granted to another of its epoch", lease, false, other, granted(8, "expired", other)],
  [
    "an expired lease is granted to a higher epoch",
    { ...lease, state: "draining" },
    false,
    next,
    granted(8, "expired", next),
  ],
  ["the same pod after a restart gets the next term at once", lease, true, asker, granted(8, "restarted", asker)],
  ["the same process whose answer was lost keeps its term", lease, true, again, kept],
  ["also when its time ran out, and nobody else asked", lease, false, again, kept],
  ["also when it was asked to hand over, which it still is", { ...lease, state: "draining" }, true, again, kept],
  ["of another epoch it is another pod", lease, true, { ...again, epoch: 4 }, asked],
  ["the same boot id of another pod means nothing", lease, true, { ...again, holder: "pod-b" }, held],
  [
    "a request that comes late, after its process gave the lease back, gets nothing",
    { ...lease, state: "free", ended: "released" },
    false,
    again,
    over,
  ],
  [
    "nor after it was revoked, with the proof that the process is gone",
    { ...lease, state: "free", ended: "revoked" },
    false,
    again,
    over,
  ],
  [
    "nor after a recovery: the process starts anew",
    { ...lease, state: "free", ended: "recovered" },
    false,
    again,
    over,
  ],
  [
    "the same pod restarts while it was asked to hand over",
    { ...lease, state: "draining" },
    true,
    asker,
    granted(8, "restarted", asker),
  ],
  ["another pod of the same epoch waits", lease, true, other, held],
  ["another pod that takes over asks the holder to end", lease, true, { ...other, takeOver: true }, asked],
  ["a higher epoch asks the holder to end", lease, true, next, asked],
  ["a holder already asked is not asked again", { ...lease, state: "draining" }, true, next, held],
  ["a lower epoch is fenced from a living holder", lease, true, old, fenced],
  ["a lower epoch is fenced from an expired lease", lease, false, old, fenced],
  ["a lower epoch is fenced from a free lease", { ...lease, state: "free", ended: "released" }, false, old, fenced],
  ["a lower epoch is fenced even if it would take over", lease, true, { ...old, takeOver: true }, fenced],
];
for (const [sentence, before, isAlive, by, after] of cases) {
  test(sentence, () => assert.deepEqual(decideLease(before, isAlive, by), after));
}

const holders: [sentence: string, lease: Lease | undefined, term: number, expected: boolean][] = [
  ["the present term is the holder's", lease, 7, true],
  ["a draining holder is still the holder", { ...lease, state: "draining" }, 7, true],
  ["an older term is not", lease, 6, false],
  ["a term never granted is not", lease, 8, false],
  ["nobody holds a free lease", { ...lease, state: "free" }, 7, false],
  ["nobody holds what was never granted", undefined, 0, false],
];
for (const [sentence, before, term, expected] of holders) {
  test(sentence, () => assert.equal(isHolder(before, term), expected));
}

const silent: ToldStanding = { standing: "", restReason: "", restsUntil: undefined };
const resting: ToldStanding = {
  standing: "token_refused",
  restReason: "token_refused",
  restsUntil: new Date("2026-03-02T10:00:00Z"),
};
const until = (time: string): ToldStanding => ({ ...resting, restsUntil: new Date(time) });

const standings: [sentence: string, a: ToldStanding, b: ToldStanding, expected: boolean][] = [
  ["a holder that sends says nothing new", silent, { ...silent }, true],
  ["one that begins to rest does", silent, resting, false],
  ["the end of a rest, reckoned anew, is the same", resting, until("2026-03-02T10:00:01Z"), true],
  ["a later end is not", resting, until("2026-03-02T10:00:01.001Z"), false],
  ["another reason is not", resting, { ...resting, restReason: "maintenance" }, false],
  ["a rest that became a try is not", resting, { ...resting, restsUntil: undefined }, false],
];
for (const [sentence, a, b, expected] of standings) {
  test(sentence, () => assert.equal(isSameStanding(a, b), expected));
}

const seenAt = new Date("2026-03-01T10:00:00Z");
const news: [
  sentence: string,
  wasRegistered: boolean | undefined,
  registeredSeenAt: Date | undefined,
  expected: boolean,
][] = [
  ["that the number is registered is news at first", true, undefined, true],
  ["and then not any more", true, seenAt, false],
  ["that it was deregistered is", false, seenAt, true],
  ["a holder that does not say tells nothing", undefined, seenAt, false],
  ["nor does one of a number that never was", false, undefined, false],
];
for (const [sentence, wasRegistered, registeredSeenAt, expected] of news) {
  test(sentence, () => assert.equal(isNews({ ...silent, wasRegistered }, { ...silent, registeredSeenAt }), expected));
}

test("a standing is news to a ledger that knows of no holder", () => {
  assert.equal(isNews({ ...resting, wasRegistered: undefined }, undefined), true);
  assert.equal(isNews({ ...silent, wasRegistered: undefined }, undefined), false);
});
