import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createNumberPace, createPairPaces, type NumberPace } from "./pace.ts";

/** Sends as soon as the pace lets it, from 0 to `untilMs`, waking every `stepMs`. Returns the times of sending. */
function sendAll(pace: NumberPace, lane: "reply" | "bulk", untilMs: number, stepMs: number): number[] {
  const sent: number[] = [];
  for (let now = 0; now < untilMs; now += stepMs) {
    while (pace.free(now) > 0 && (lane === "reply" || pace.bulkInMs(now) === 0)) {
      pace.reserve(lane, now);
      pace.take(now);
      sent.push(now);
    }
  }
  return sent;
}

function mostInAnySecond(times: readonly number[]): number {
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + 1_000).length));
}

test("no second, wherever it starts, holds more than the rate, also when what leaves evenly arrives up to 20 ms off", () => {
  const attempts = fc.array(
    fc.record({
      afterMs: fc.nat(400),
      onWireAfterMs: fc.nat(3_000),
      isGivenBack: fc.boolean(),
      lateMs: fc.nat(20),
    }),
    { maxLength: 150 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), attempts, (rate, list) => {
      const pace = createNumberPace(rate);
      const arrivals: number[] = [];
      const events: { at: number; run: (now: number) => void }[] = [];
      let start = 0;
      for (const { afterMs, onWireAfterMs, isGivenBack, lateMs } of list) {
        start += afterMs;
        events.push({
          at: start,
          run(now) {
            if (pace.free(now) === 0) return;
            pace.reserve("reply", now);
            const end = isGivenBack ? () => pace.giveBack() : takeAndArrive(lateMs);
            events.push({ at: now + onWireAfterMs, run: end });
          },
        });
      }
      function takeAndArrive(late: number): (now: number) => void {
        return (now) => {
          pace.take(now);
          arrivals.push(now + late);
        };
      }
      while (events.length > 0) {
        events.sort((a, b) => a.at - b.at);
        const [next] = events.splice(0, 1);
        next?.run(next.at);
      }
      assert.ok(mostInAnySecond(arrivals) <= rate);
    }),
    { numRuns: 60 },
  );
});

test("at rest a full second's worth of replies goes at once", () => {
  const sent = sendAll(createNumberPace(20), "reply", 900, 10);
  assert.deepEqual(
    sent,
    Array.from({ length: 20 }, () => 0),
  );
});

test("under load nearly the whole rate is used", () => {
  for (const rate of [1, 7, 20, 80, 400]) {
    const sent = sendAll(createNumberPace(rate), "reply", 20_000, 5);
    assert.ok(sent.length >= rate * 20 * 0.96, `${sent.length} of ${rate * 20}`);
  }
});

test("bulk goes evenly, so that a reply in its midst waits a twentieth of a second at most", () => {
  const pace = createNumberPace(20);
  const sent = sendAll(pace, "bulk", 5_000, 5);
  assert.ok(sent.length >= 90);
  const gaps = sent.slice(1).map((at, index) => at - (sent[index] ?? 0));
  assert.ok(Math.min(...gaps) >= 50);
  const waitMs = pace.freeInMs(5_000) ?? Number.POSITIVE_INFINITY;
  assert.ok(waitMs <= 70, `${waitMs}`);
});

test("it says when the next slot is free by time, and that a reserved one is not", () => {
  const pace = createNumberPace(2);
  assert.equal(pace.freeInMs(0), 0);
  pace.reserve("reply", 0);
  pace.reserve("reply", 0);
  assert.equal(pace.freeInMs(0), undefined);
  pace.take(100);
  assert.equal(pace.freeInMs(100), 1_020);
  assert.equal(pace.free(1_119), 0);
  assert.equal(pace.free(1_120), 1);
  pace.giveBack();
  assert.equal(pace.free(1_120), 2);
});

test("a lower rate holds from the next message on", () => {
  const pace = createNumberPace(10);
  for (let count = 0; count < 10; count += 1) {
    pace.reserve("reply", 0);
    pace.take(0);
  }
  pace.setRate(5);
  assert.equal(pace.free(1_019), 0);
  assert.equal(pace.free(1_020), 5);
});

test("it knows how many went in the last second", () => {
  const pace = createNumberPace(10);
  for (const at of [0, 10, 500, 990]) {
    pace.reserve("reply", at);
    pace.take(at);
  }
  assert.equal(pace.used(995), 4);
  assert.equal(pace.used(1_005), 3);
  assert.equal(pace.used(5_000), 0);
});

test("a user gets 45 at once and then one in 6 seconds", () => {
  const pairs = createPairPaces();
  for (let count = 0; count < 45; count += 1) {
    assert.equal(pairs.waitMs("1", 1_000), 0);
    pairs.take("1", 1_000);
  }
  assert.equal(pairs.waitMs("1", 1_000), 6_000);
  assert.equal(pairs.waitMs("1", 6_999), 1);
  assert.equal(pairs.waitMs("1", 7_000), 0);
  assert.equal(pairs.waitMs("2", 1_000), 0);
  pairs.take("1", 7_000);
  assert.equal(pairs.waitMs("1", 7_000), 6_000);
});

test("the burst is whole at any reading of the clock", () => {
  for (const now of [0.1, 12_345.678_901, 98_765.432_109_8]) {
    const pairs = createPairPaces();
    for (let count = 0; count < 45; count += 1) {
      assert.equal(pairs.waitMs("1", now), 0);
      pairs.take("1", now);
    }
    assert.ok(pairs.waitMs("1", now) >= 5_999);
  }
});

test("a plan has each message behind the earlier ones to its user, and takes nothing", () => {
  const pairs = createPairPaces();
  for (let count = 0; count < 43; count += 1) pairs.take("1", 1_000);
  const planned = ["1", "2", "1", "1", "1"];
  assert.deepEqual(pairs.plan(planned, 1_000), [0, 0, 0, 6_000, 12_000]);
  assert.deepEqual(pairs.plan(planned, 1_000), [0, 0, 0, 6_000, 12_000]);
  assert.equal(pairs.waitMs("1", 1_000), 0);
});

test("a user whose bucket is full again is forgotten, and the memory has an end", () => {
  const pairs = createPairPaces(100);
  for (let user = 0; user < 1_000; user += 1) pairs.take(String(user), user);
  assert.equal(pairs.size(), 100);
  pairs.take("last", 20_000);
  assert.equal(pairs.size(), 1);
});
