import assert from "node:assert/strict";
import { test } from "node:test";
import { afterFailure, type Health, healthy, pauseOf, slots, windowOf } from "./health.ts";
import type { Failure } from "./retry.ts";

const now = new Date("2026-11-22T12:00:00Z");
const at = (seconds: number): Date => new Date(now.getTime() + seconds * 1_000);
const refused: Failure = { reason: "ECONNREFUSED", status: undefined, timedOut: false, retryAfterMs: undefined };
const tooMany: Failure = { ...refused, reason: "HTTP 429", status: 429 };
const paused: Health = { failuresInARow: 10, pause: { from: now, until: at(1) } };

type Case = [sentence: string, before: Health, failure: Failure, startedAt: Date, now: Date, after: Health];
const cases: Case[] = [
  ["one failure is no reason to pause", healthy, refused, now, now, { failuresInARow: 1, pause: undefined }],
  ["the tenth in a row is", { failuresInARow: 9, pause: undefined }, refused, now, now, paused],
  ["a try from before the pause changes nothing", paused, refused, at(-5), at(0.5), paused],
  [
    "the try after the pause doubles it",
    paused,
    refused,
    at(1),
    at(1),
    { failuresInARow: 11, pause: { from: at(1), until: at(3) } },
  ],
  [
    "a pause is a minute at most",
    { failuresInARow: 400, pause: { from: now, until: now } },
    refused,
    at(1),
    at(1),
    { failuresInARow: 401, pause: { from: at(1), until: at(61) } },
  ],
  ["429 pauses at once", healthy, tooMany, now, now, paused],
  [
    "Retry-After makes the pause longer",
    healthy,
    { ...tooMany, retryAfterMs: 20_000 },
    now,
    now,
    { failuresInARow: 10, pause: { from: now, until: at(20) } },
  ],
];
for (const [sentence, before, failure, startedAt, when, after] of cases) {
  test(sentence, () => assert.deepEqual(afterFailure(before, failure, startedAt, 1_000, when), after));
}

const open: [sentence: string, health: Health, when: Date, count: number][] = [
  ["a healthy endpoint takes all", healthy, now, 16],
  ["so does one with some failures", { failuresInARow: 9, pause: undefined }, now, 16],
  ["in a pause it takes none", paused, at(0.999), 0],
  ["after the pause it takes one", paused, at(1), 1],
];
for (const [sentence, health, when, count] of open) test(sentence, () => assert.equal(slots(health, 16, when), count));

const windows: [sentence: string, concurrency: number, averageMs: number, held: number][] = [
  ["a quick endpoint has the largest window", 16, 2, 1_024],
  ["one that was never asked too", 16, 0, 1_024],
  ["one of 300 ms has what it takes in two seconds", 16, 300, 106],
  ["one that hangs has no more than is under way", 16, 15_000, 16],
];
for (const [sentence, concurrency, averageMs, held] of windows) {
  test(sentence, () => assert.equal(windowOf(concurrency, averageMs), held));
}

const pauses: [
  sentence: string,
  pausedUntil: Date | undefined,
  succeeded: Date | undefined,
  failed: Date | undefined,
  shown: Date | undefined,
][] = [
  ["no pause was saved", undefined, at(1), at(2), undefined],
  ["it is under way", at(20), undefined, at(5), at(20)],
  ["an older success does not end it", at(20), at(4), at(5), at(20)],
  ["a newer one does", at(20), at(6), at(5), undefined],
  ["it is over", at(10), undefined, at(5), undefined],
];
for (const [sentence, pausedUntil, lastSuccessAt, lastFailureAt, shown] of pauses) {
  test(`pause that is shown: ${sentence}`, () => {
    assert.deepEqual(pauseOf({ pausedUntil, lastSuccessAt, lastFailureAt }, at(10)), shown);
  });
}
