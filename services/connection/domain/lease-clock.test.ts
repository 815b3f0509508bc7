import assert from "node:assert/strict";
import { test } from "node:test";
import { type Clocks, mayGoOnWire, remainingMs } from "./lease-clock.ts";

const renewedAt: Clocks = { monotonicMs: 1_000, wallMs: 1_700_000_000_000 };

function later(monotonicMs: number, wallMs: number): Clocks {
  return { monotonicMs: renewedAt.monotonicMs + monotonicMs, wallMs: renewedAt.wallMs + wallMs };
}

const cases: [sentence: string, now: Clocks, remaining: number][] = [
  ["right after the renewal all of the time is left", later(0, 0), 10_000],
  ["a millisecond before the end one is left", later(9_999, 9_999), 1],
  ["at the end nothing is left", later(10_000, 10_000), 0],
  ["long after the end nothing is left", later(60_000, 60_000), 0],
  ["a machine that slept is judged by the wall clock", later(3, 20_000), 0],
  ["a wall clock set back does not stretch the time", later(10_000, -3_600_000), 0],
  ["a wall clock set forward shortens it", later(1_000, 4_000), 6_000],
];

for (const [sentence, now, remaining] of cases) {
  test(sentence, () => assert.equal(remainingMs({ renewedAt, stopAfterMs: 10_000 }, now), remaining));
}

const wireCases: [sentence: string, leaseRemainingMs: number, now: Clocks, may: boolean][] = [
  ["under a good lease a message goes", 1, later(0, 0), true],
  ["without a good lease none goes", 0, later(0, 0), false],
  ["what was begun long ago does not go, however good the lease", 9_000, later(10_000, 10_000), false],
  ["what was begun before the machine slept does not go", 9_000, later(5, 20_000), false],
];

for (const [sentence, leaseRemainingMs, now, may] of wireCases) {
  test(sentence, () => assert.equal(mayGoOnWire(leaseRemainingMs, renewedAt, now), may));
}
