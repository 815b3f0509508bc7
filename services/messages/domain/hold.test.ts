import assert from "node:assert/strict";
import { test } from "node:test";
import { decideHold, type Hold, type HoldFacts } from "./hold.ts";

const now = new Date("2026-03-02T10:00:00Z");
const later = new Date("2026-03-02T10:05:00Z");

const sends = { connected: true, standing: "", restReason: "", restsUntil: undefined };
const free: HoldFacts = {
  message: { state: "accepted", reason: "", dueAt: now },
  number: { connection: sends },
  aheadOfUser: 0,
  isQuoteOfUnsent: false,
  aheadInLane: 0,
};
const parked = { ...sends, standing: "token_refused", restReason: "token_refused", restsUntil: later };
const everything: HoldFacts = { ...free, aheadOfUser: 2, isQuoteOfUnsent: true, aheadInLane: 9 };
const waiting = { state: "waiting", reason: "pair_paced", dueAt: later } as const;

function held(reason: string, rest: Partial<Hold> = {}): Hold {
  return { reason, until: undefined, ahead: 0, ...rest };
}

const cases: [sentence: string, facts: HoldFacts, hold: Hold | undefined][] = [
  ["nothing holds a message that is about to go", free, undefined],
  ["a removed number holds all", { ...everything, number: undefined }, held("number_removed")],
  [
    "so does one that was never held",
    { ...everything, number: { connection: undefined } },
    held("number_disconnected"),
  ],
  [
    "and one whose holder is gone, whatever that said last",
    { ...everything, number: { connection: { ...parked, connected: false } } },
    held("number_disconnected"),
  ],
  [
    "a number that rests tells why and until when",
    { ...everything, number: { connection: parked } },
    held("token_refused", { until: later }),
  ],
  [
    "also where there is no word for its standing",
    { ...free, number: { connection: { ...sends, restReason: "account_call_limit", restsUntil: later } } },
    held("account_call_limit", { until: later }),
  ],
  [
    "a holder that tells its standing only",
    { ...free, number: { connection: { ...sends, standing: "conflict" } } },
    held("conflict"),
  ],
  [
    "a message that waits has its own reason",
    { ...everything, message: waiting },
    held("pair_paced", { until: later }),
  ],
  ["until it is due", { ...everything, message: { ...waiting, dueAt: now } }, held("behind_earlier", { ahead: 2 })],
  ["a quote waits for what it quotes", { ...everything, aheadOfUser: 0 }, held("quoted_not_sent")],
  ["the others of its lane come first", { ...free, aheadInLane: 9 }, held("pace", { ahead: 9 })],
  ["a message on the wire is held by nothing", { ...everything, message: { ...waiting, state: "sending" } }, undefined],
  ["nor one that ended", { ...everything, message: { ...waiting, state: "cancelled" } }, undefined],
];
for (const [sentence, facts, hold] of cases) test(sentence, () => assert.deepEqual(decideHold(facts, now), hold));
