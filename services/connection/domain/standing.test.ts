import assert from "node:assert/strict";
import { test } from "node:test";
import {
  nextStanding,
  openStanding,
  type Standing,
  type StandingEvent,
  toTold,
  toWord,
  withHistory,
} from "./standing.ts";

const trouble: StandingEvent = {
  event: "trouble",
  reason: "token_refused",
  backoff: { firstMs: 30_000, factor: 2, maxMs: 300_000 },
};
const brief: StandingEvent = {
  event: "trouble",
  reason: "upstream_unreachable",
  backoff: { firstMs: 500, factor: 2, maxMs: 30_000 },
};
const lost: StandingEvent = { event: "lost" };
const answer: StandingEvent = { event: "answer" };
const time: StandingEvent = { event: "time" };
const tokenChanged: StandingEvent = { event: "token_changed" };
const registered: StandingEvent = { event: "registered" };

const nowMs = 100_000;
const resting: Standing = { state: "resting", reason: "token_refused", failures: 2, untilMs: nowMs + 1 };
const probing: Standing = { state: "probing", reason: "token_refused", failures: 2 };

const cases: [sentence: string, before: Standing, event: StandingEvent, after: Standing][] = [
  [
    "trouble makes it rest",
    openStanding,
    trouble,
    { state: "resting", reason: "token_refused", failures: 1, untilMs: nowMs + 30_000 },
  ],
  ["a loss is counted", openStanding, lost, { state: "open", losses: 1 }],
  ["an answer forgets losses", { state: "open", losses: 9 }, answer, openStanding],
  [
    "ten losses in a row make it rest",
    { state: "open", losses: 9 },
    lost,
    { state: "resting", reason: "upstream_silent", failures: 1, untilMs: nowMs + 1_000 },
  ],
  ["time changes nothing while all is well", openStanding, time, openStanding],
  ["a rest lasts its time", resting, time, resting],
  ["then one message probes", { ...resting, untilMs: nowMs }, time, probing],
  ["answers to what was sent before do not end a rest", resting, answer, resting],
  ["nor do losses prolong it", resting, lost, resting],
  [
    "more trouble of that time moves its end, not its length",
    resting,
    trouble,
    { ...resting, untilMs: nowMs + 60_000 },
  ],
  ["but never forward", { ...resting, untilMs: nowMs + 200_000 }, brief, { ...resting, untilMs: nowMs + 200_000 }],
  ["a new token is tried at once", resting, tokenChanged, probing],
  [
    "a new token does not end another rest",
    { ...resting, reason: "maintenance" },
    tokenChanged,
    { ...resting, reason: "maintenance" },
  ],
  ["the news that the number is registered ends no other rest", resting, registered, resting],
  [
    "but that for a missing registration",
    { ...resting, reason: "number_not_registered" },
    registered,
    { ...probing, reason: "number_not_registered" },
  ],
  [
    "and for a number that was moved away",
    { ...resting, reason: "number_migrated" },
    registered,
    { ...probing, reason: "number_migrated" },
  ],
  ["a probing number that is registered opens", probing, registered, openStanding],
  ["an open number stays open with it", openStanding, registered, openStanding],
  ["a probe that is answered opens", probing, answer, openStanding],
  [
    "a probe that meets trouble rests longer",
    probing,
    trouble,
    { state: "resting", reason: "token_refused", failures: 3, untilMs: nowMs + 120_000 },
  ],
  [
    "another trouble begins with its own first rest",
    probing,
    brief,
    { state: "resting", reason: "upstream_unreachable", failures: 1, untilMs: nowMs + 500 },
  ],
  [
    "so does one that is lost",
    probing,
    lost,
    { state: "resting", reason: "upstream_silent", failures: 3, untilMs: nowMs + 4_000 },
  ],
  ["a probe in flight waits", probing, time, probing],
];

for (const [sentence, before, event, after] of cases) {
  test(sentence, () => assert.deepEqual(nextStanding(before, event, nowMs, 0), after));
}

const words: [reason: string, word: string][] = [
  ["number_not_registered", "not_registered"],
  ["registered_elsewhere", "conflict"],
  ["number_migrated", "conflict"],
  ["token_refused", "token_refused"],
  ["upstream_unreachable", "upstream_away"],
  ["upstream_silent", "upstream_away"],
  ["maintenance", "upstream_away"],
  ["account_call_limit", ""],
];

for (const [reason, word] of words) {
  test(`resting and probing for ${reason} is told as "${word}"`, () => {
    assert.equal(toWord({ ...resting, reason }), word);
    assert.equal(toWord({ state: "probing", reason, failures: 1 }), word);
  });
}

test("a number that was registered and is not any more was taken by another client", () => {
  const trouble: StandingEvent = {
    event: "trouble",
    reason: "number_not_registered",
    backoff: { firstMs: 1, factor: 1, maxMs: 1 },
  };
  assert.deepEqual(withHistory(trouble, true), { ...trouble, reason: "registered_elsewhere" });
  assert.equal(withHistory(trouble, false), trouble);
  assert.equal(withHistory(time, true), time);
});

test("a number that sends has no word", () => {
  assert.equal(toWord({ state: "open", losses: 9 }), "");
});

test("a conflict is looked at after 5 minutes, then twice as late each time, at most hourly", () => {
  const conflict: StandingEvent = {
    event: "trouble",
    reason: "number_not_registered",
    backoff: { firstMs: 300_000, factor: 2, maxMs: 3_600_000 },
  };
  let standing: Standing = openStanding;
  let now = 0;
  const rests: number[] = [];
  for (let at = 0; at < 6; at += 1) {
    standing = nextStanding(standing, conflict, now, 0);
    assert.ok(standing.state === "resting");
    rests.push((standing.untilMs - now) / 60_000);
    now = standing.untilMs;
    standing = nextStanding(standing, time, now, 0);
  }
  assert.deepEqual(rests, [5, 10, 20, 40, 60, 60]);
});

test("the ledger is told why nothing goes and, by the wall clock, until when", () => {
  const now = new Date("2026-03-02T10:00:00Z");
  const resting = { state: "resting", reason: "account_call_limit", failures: 1, untilMs: 61_000 } as const;
  assert.deepEqual(toTold(resting, 1_000, now), {
    standing: "",
    restReason: "account_call_limit",
    restsUntil: new Date("2026-03-02T10:01:00Z"),
  });
  assert.deepEqual(toTold({ state: "probing", reason: "token_refused", failures: 1 }, 1_000, now), {
    standing: "token_refused",
    restReason: "token_refused",
    restsUntil: undefined,
  });
  assert.deepEqual(toTold(openStanding, 1_000, now), { standing: "", restReason: "", restsUntil: undefined });
});
