import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Conflict,
  conflictStanding,
  isForLooks,
  nextStanding,
  openStanding,
  type Standing,
  type StandingEvent,
  toWord,
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

test("a number that sends has no word", () => {
  assert.equal(toWord({ state: "open", losses: 9 }), "");
});

const minuteMs = 60_000;
const taken: StandingEvent = { event: "taken" };
const registeredHere: StandingEvent = { event: "registered_here" };
const backoff = { firstMs: 5 * minuteMs, factor: 2, maxMs: 60 * minuteMs };
const elsewhere: StandingEvent = { event: "trouble", reason: "registered_elsewhere", backoff };
const inStatus: StandingEvent = { event: "trouble", reason: "number_migrated", backoff, inStatus: true };
const deregistered: StandingEvent = { event: "deregistered", reason: "number_not_registered", backoff };

type Looks = Conflict["looks"];
const rested = (failures: number, looks: Looks, minutes: number, reason = "registered_elsewhere"): Standing => {
  return { state: "resting", reason, failures, untilMs: nowMs + minutes * minuteMs, conflict: { failures, looks } };
};
const tried = (failures: number, looks: Looks): Standing => {
  return { state: "probing", reason: "registered_elsewhere", failures, conflict: { failures, looks } };
};
const silent: Standing = {
  state: "resting",
  reason: "upstream_silent",
  failures: 4,
  untilMs: nowMs + 8_000,
  conflict: { failures: 3, looks: "untried" },
};

const conflicts: [sentence: string, before: Standing, event: StandingEvent, after: Standing][] = [
  ["a refused message begins a conflict", openStanding, elsewhere, rested(1, "untried", 5)],
  ["so does a number that was moved away", openStanding, inStatus, rested(1, "telling", 5, "number_migrated")],
  ["a probe that is refused makes it longer", tried(2, "blind"), elsewhere, rested(3, "blind", 20)],
  ["whatever word it is refused with", tried(2, "blind"), inStatus, rested(3, "telling", 20, "number_migrated")],
  ["a probe that is taken ends it", tried(2, "blind"), taken, openStanding],
  ["one that is refused for itself does not", tried(2, "blind"), answer, tried(2, "blind")],
  ["a good status while messages are refused is worth nothing", tried(2, "untried"), registered, tried(2, "blind")],
  ["read again neither", tried(2, "blind"), registered, tried(2, "blind")],
  ["it cuts no rest short", rested(2, "blind", 9), registered, rested(2, "blind", 9)],
  ["not the first time either", rested(2, "untried", 9), registered, rested(2, "blind", 9)],
  ["where the status was bad, a good one ends a rest", rested(2, "telling", 9), registered, tried(2, "telling")],
  ["and then the conflict", tried(2, "telling"), registered, openStanding],
  ["registered here, it is tried at once", rested(2, "blind", 9), registeredHere, tried(2, "telling")],
  ["or goes on being tried", tried(2, "blind"), registeredHere, tried(2, "telling")],
  [
    "deregistered here, it is no conflict any more",
    rested(4, "blind", 40),
    deregistered,
    { state: "resting", reason: "number_not_registered", failures: 1, untilMs: nowMs + 5 * minuteMs },
  ],
  ["another trouble does not end it", tried(3, "untried"), lost, silent],
  [
    "it is still there when the upstream is back",
    { ...silent, untilMs: nowMs },
    time,
    { state: "probing", reason: "upstream_silent", failures: 4, conflict: { failures: 3, looks: "untried" } },
  ],
  [
    "and goes on counting",
    { state: "probing", reason: "upstream_silent", failures: 4, conflict: { failures: 3, looks: "untried" } },
    elsewhere,
    rested(4, "untried", 40),
  ],
  ["its own refusals in a rest change nothing", rested(2, "untried", 11), elsewhere, rested(2, "untried", 11)],
  ["found in a short rest it has its own length", { ...resting, failures: 5 }, elsewhere, rested(1, "untried", 5)],
];

for (const [sentence, before, event, after] of conflicts) {
  test(`conflict: ${sentence}`, () => assert.deepEqual(nextStanding(before, event, nowMs, 0), after));
}

test("in a conflict the word is that, whatever else is wrong", () => {
  assert.equal(toWord(silent), "conflict");
  assert.equal(toWord(conflictStanding), "conflict");
});

test("a look may show that trouble is over, but not where it shows nothing", () => {
  const probed = [probing, tried(1, "untried"), tried(1, "telling"), tried(1, "blind"), resting, openStanding];
  assert.deepEqual(probed.map(isForLooks), [true, true, true, false, false, false]);
});

test("a conflict is looked at after 5 minutes, then twice as late each time, at most hourly, also where looks read it connected", () => {
  let standing: Standing = openStanding;
  let now = 0;
  const rests: number[] = [];
  for (let at = 0; at < 6; at += 1) {
    standing = nextStanding(standing, elsewhere, now, 0);
    assert.ok(standing.state === "resting");
    rests.push((standing.untilMs - now) / minuteMs);
    standing = nextStanding(standing, registered, now, 0);
    assert.equal(standing.state, "resting");
    now += (rests.at(-1) ?? 0) * minuteMs;
    for (const event of [time, registered, answer]) standing = nextStanding(standing, event, now, 0);
    assert.equal(standing.state, "probing");
  }
  assert.deepEqual(rests, [5, 10, 20, 40, 60, 60]);
});
