// Lanes and pace together, in virtual time: what a broadcast costs a reply.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLanes, type Lane, type Queued } from "./lanes.ts";
import { createNumberPace } from "./pace.ts";

type Coming = Queued & { acceptedAtMs: number };
type Gone = Coming & { goneAtMs: number };

/** Sends as the scheduler does, looking each 5 ms; what is accepted later is not there before. */
function simulate(messages: readonly Coming[], rate: number, untilMs: number): Gone[] {
  const lanes = createLanes<Coming>();
  const pace = createNumberPace(rate);
  const coming = messages.toSorted((a, b) => a.acceptedAtMs - b.acceptedAtMs);
  const gone: Gone[] = [];
  for (let now = 0; now < untilMs; now += 5) {
    while (coming[0] !== undefined && coming[0].acceptedAtMs <= now) {
      lanes.add(coming[0]);
      coming.shift();
    }
    const isOpen = (lane: Lane): boolean => lane === "reply" || pace.bulkInMs(now) === 0;
    while (pace.free(now) > 0) {
      const next = lanes.next(() => true, isOpen);
      if (next === undefined) break;
      lanes.start(next);
      pace.reserve(next.lane, now);
      pace.take(now);
      lanes.finish(next);
      gone.push({ ...next, goneAtMs: now });
    }
  }
  return gone;
}

function many(lane: Lane, count: number, acceptedAtMs: (at: number) => number): Coming[] {
  return Array.from({ length: count }, (_, at) => ({
    messageId: `${lane}${String(at).padStart(6, "0")}`,
    seq: at,
    recipient: String(at),
    lane,
    acceptedAtMs: acceptedAtMs(at),
  }));
}

for (const rate of [20, 80]) {
  test(`in the midst of 1,000 of bulk at ${rate} a second replies hardly wait`, () => {
    const durationMs = (1_000 / rate) * 1_000;
    const replies = many("reply", 100, (at) => Math.round((at + 0.5) * (durationMs / 100)));
    const gone = simulate([...many("bulk", 1_000, () => 0), ...replies], rate, durationMs * 1.5);
    assert.equal(gone.length, 1_100);
    const waits = gone.filter(({ lane }) => lane === "reply").map((one) => one.goneAtMs - one.acceptedAtMs);
    assert.ok(Math.max(...waits) <= 150, `${Math.max(...waits)} ms`);
  });
}

const floods: [sentence: string, replyEveryMs: number, leastShare: number][] = [
  ["replies that come twice as fast as they may go leave bulk its ninth", 6, 0.1],
  // They leave in one clump each second then, of which bulk may take what it may take at once.
  ["5,000 replies that come at once leave bulk a twentieth", 0, 0.045],
];

for (const [sentence, replyEveryMs, leastShare] of floods) {
  test(sentence, () => {
    const replies = many("reply", 5_000, (at) => at * replyEveryMs);
    const gone = simulate([...many("bulk", 1_000, () => 0), ...replies], 80, 25_000);
    const bulk = gone.filter(({ lane }) => lane === "bulk").length;
    assert.ok(bulk / gone.length >= leastShare && bulk / gone.length < 0.17, `${bulk} of ${gone.length}`);
  });
}
