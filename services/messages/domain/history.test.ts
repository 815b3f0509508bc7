import assert from "node:assert/strict";
import { test } from "node:test";
import { transitionBetween } from "./history.ts";
import type { Event, Progress } from "./progress.ts";

const now = new Date("2026-03-02T10:00:00Z");
const accepted: Progress = {
  state: "accepted",
  attempt: 0,
  term: 0,
  dueAt: now,
  expiresAt: now,
  wamid: undefined,
  reason: "",
  error: undefined,
  pricing: undefined,
  sendingAt: undefined,
  sentAt: undefined,
  sentNewsAt: undefined,
  deliveredAt: undefined,
  readAt: undefined,
  failedAt: undefined,
};
const begin: Event = { kind: "begin", term: 7, attempt: 1 };
const finish: Event = {
  kind: "finish",
  term: 7,
  attempt: 1,
  isHolder: true,
  at: now,
  outcome: { kind: "wait", until: now, reason: "throttled" },
};
const due: Event = { kind: "due" };
const takeover: Event = { kind: "takeover", term: 8 };
const sending: Progress = { ...accepted, state: "sending", attempt: 1, term: 7 };
const waiting: Progress = { ...sending, state: "waiting", reason: "throttled" };

/** What is added: state, attempt, term and reason; empty for nothing. */
const cases: [sentence: string, before: Progress, after: Progress, event: Event, added: string][] = [
  ["a begin with its term", accepted, sending, begin, "sending 1 7 "],
  ["a wait with its reason, under the term of who says so", sending, waiting, finish, "waiting 1 7 throttled"],
  ["a takeover under the new term", sending, { ...sending, state: "unknown" }, takeover, "unknown 1 8 "],
  ["what only time brings has no term", waiting, { ...waiting, state: "expired" }, due, "expired 1 0 throttled"],
  ["another reason to wait", waiting, { ...waiting, reason: "paced" }, finish, "waiting 1 7 paced"],
  ["the same reason for longer adds nothing", waiting, { ...waiting, dueAt: new Date(0) }, finish, ""],
  ["a price adds nothing", sending, { ...sending, wamid: "wamid" }, finish, ""],
  ["the hundredth attempt", waiting, { ...sending, attempt: 100 }, begin, "sending 100 7 "],
  ["one attempt more adds nothing", waiting, { ...sending, attempt: 101 }, begin, ""],
  ["but its end is told", sending, { ...sending, attempt: 101, state: "failed" }, due, "failed 101 0 "],
];
for (const [sentence, before, after, event, added] of cases) {
  test(sentence, () => {
    const one = transitionBetween(before, after, event, now);
    assert.equal(one === undefined ? "" : `${one.state} ${one.attempt} ${one.term} ${one.reason}`, added);
    if (one !== undefined) assert.equal(one.at, now);
  });
}
