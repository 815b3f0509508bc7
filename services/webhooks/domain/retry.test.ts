import assert from "node:assert/strict";
import { test } from "node:test";
import { afterFailedAttempt, type Failure, parseRetryAfter, type Tried } from "./retry.ts";

const now = new Date("2026-11-22T12:00:00Z");
const schedule = { baseMs: 1_000, capMs: 900_000 };
const serverError: Failure = { reason: "HTTP 500", status: 500, timedOut: false, retryAfterMs: undefined };
const tried: Tried = { attempt: 1, createdAt: now, keepTryingSeconds: 345_600, failure: serverError, random: 0.5 };
const daysAgo = (days: number): Date => new Date(now.getTime() - days * 86_400_000);
const withStatus = (status: number): Failure => ({ ...serverError, status });

const cases: [sentence: string, tried: Tried, delayMs: number | "dead"][] = [
  ["the first retry comes after a second", tried, 1_000],
  ["the second after two", { ...tried, attempt: 2 }, 2_000],
  ["the fifth after sixteen", { ...tried, attempt: 5 }, 16_000],
  ["no step is longer than a quarter of an hour", { ...tried, attempt: 11 }, 900_000],
  ["also after thousands of attempts", { ...tried, attempt: 5_000 }, 900_000],
  ["jitter takes off a fifth at most", { ...tried, random: 0 }, 800],
  ["jitter adds a fifth at most", { ...tried, random: 1 }, 1_200],
  ["jitter never passes the longest step", { ...tried, attempt: 20, random: 1 }, 900_000],
  ["Retry-After is honoured", { ...tried, failure: { ...serverError, retryAfterMs: 30_000 } }, 30_000],
  [
    "a short Retry-After does not hurry us",
    { ...tried, attempt: 5, failure: { ...serverError, retryAfterMs: 1_000 } },
    16_000,
  ],
  ["a long Retry-After is bounded", { ...tried, failure: { ...serverError, retryAfterMs: 86_400_000 } }, 900_000],
  ["429 waits a minute", { ...tried, failure: withStatus(429) }, 60_000],
  ["410 waits a minute", { ...tried, failure: withStatus(410) }, 60_000],
  ["503 waits five seconds", { ...tried, failure: withStatus(503) }, 5_000],
  ["a timeout waits five seconds", { ...tried, failure: { ...serverError, status: undefined, timedOut: true } }, 5_000],
  ["a redirect is an ordinary failure", { ...tried, failure: withStatus(302) }, 1_000],
  ["a slow start does not add to later steps", { ...tried, attempt: 9, failure: withStatus(429) }, 256_000],
  [
    "near the end the last try is at the end",
    { ...tried, attempt: 12, createdAt: new Date(daysAgo(4).getTime() + 5_000) },
    5_000,
  ],
  ["after the end it is dead", { ...tried, attempt: 400, createdAt: daysAgo(4) }, "dead"],
  ["a subscription may give up sooner", { ...tried, createdAt: daysAgo(1), keepTryingSeconds: 3_600 }, "dead"],
];
for (const [sentence, input, delayMs] of cases) {
  test(sentence, () => {
    const expected =
      delayMs === "dead" ? { state: "dead" } : { state: "waiting", dueAt: new Date(now.getTime() + delayMs) };
    assert.deepEqual(afterFailedAttempt(input, schedule, now), expected);
  });
}

const headers: [sentence: string, header: string | undefined, ms: number | undefined][] = [
  ["no Retry-After", undefined, undefined],
  ["Retry-After in seconds", "120", 120_000],
  ["Retry-After as a date", "Sun, 22 Nov 2026 12:00:30 GMT", 30_000],
  ["a date that has passed", "Sun, 22 Nov 2026 11:00:00 GMT", undefined],
  ["zero", "0", undefined],
  ["nonsense", "soon", undefined],
  ["a fraction is not of the standard", "1.5", undefined],
];
for (const [sentence, header, ms] of headers) test(sentence, () => assert.equal(parseRetryAfter(header, now), ms));
