import assert from "node:assert/strict";
import { test } from "node:test";
import {
  afterCreation,
  afterEdit,
  afterNews,
  isDocumented,
  type Review,
  type ReviewNews,
  type Sendability,
  sendability,
  statusAfter,
} from "./state.ts";

const states: [status: string | undefined, sendability: Sendability][] = [
  ["APPROVED", "sendable"],
  ["FLAGGED", "sendable"],
  ["PAUSED", "template_paused"],
  ["DISABLED", "template_disabled"],
  ["PENDING", "template_missing"],
  ["REJECTED", "template_missing"],
  ["IN_APPEAL", "template_missing"],
  ["ARCHIVED", "template_missing"],
  ["LOCKED", "template_missing"],
  ["LIMIT_EXCEEDED", "template_missing"],
  ["PENDING_DELETION", "template_missing"],
  ["DELETED", "template_missing"],
  ["A_STATE_OF_TOMORROW", "template_missing"],
  [undefined, "template_missing"],
];
for (const [status, expected] of states) {
  test(`${status ?? "an unknown template"} is ${expected}`, () => assert.equal(sendability(status), expected));
}

const events: [event: string, status: string][] = [
  ["APPROVED", "APPROVED"],
  ["REINSTATED", "APPROVED"],
  ["UNARCHIVED", "APPROVED"],
  ["PAUSED", "PAUSED"],
  ["AN_EVENT_OF_TOMORROW", "AN_EVENT_OF_TOMORROW"],
];
for (const [event, status] of events) {
  test(`after the event ${event} the state is ${status}`, () => assert.equal(statusAfter(event), status));
}

test("a state that Meta does not document is told apart", () => {
  assert.equal(isDocumented("PAUSED"), true);
  assert.equal(isDocumented("A_STATE_OF_TOMORROW"), false);
});

function time(text: string): Date {
  return new Date(`2026-03-02T${text}Z`);
}

const told = (value: string, at = "12:00:00.700") => ({ value, at: time(at) });
const review: Review = {
  status: told("APPROVED"),
  quality: told("GREEN"),
  category: told("UTILITY"),
  rejectedReason: told("NONE"),
};
const news: [sentence: string, news: ReviewNews, after: Review][] = [
  [
    "a newer state holds",
    { field: "status", value: "PAUSED", at: time("12:05:00") },
    { ...review, status: told("PAUSED", "12:05:00") },
  ],
  ["an older state does not", { field: "status", value: "PENDING", at: time("11:59:59") }, review],
  [
    "an event of the same second holds",
    { field: "status", value: "PAUSED", at: time("12:00:00") },
    { ...review, status: told("PAUSED", "12:00:00") },
  ],
  ["the same state again changes nothing", { field: "status", value: "APPROVED", at: time("12:05:00") }, review],
  [
    "quality changes alone",
    { field: "quality", value: "RED", at: time("12:05:00") },
    { ...review, quality: told("RED", "12:05:00") },
  ],
  [
    "category changes alone",
    { field: "category", value: "MARKETING", at: time("12:05:00") },
    { ...review, category: told("MARKETING", "12:05:00") },
  ],
];
for (const [sentence, given, after] of news) {
  test(sentence, () => assert.deepEqual(afterNews(review, given), after));
}

test("an edited template is in review, unless its review was quicker than the answer", () => {
  const at = time("12:10:00");
  const pending = { value: "PENDING", at };
  const none = { value: "NONE", at };
  const edited = { status: "APPROVED", category: "", at };
  assert.deepEqual(afterEdit(review, edited), { ...review, status: pending, rejectedReason: none });
  assert.deepEqual(afterEdit(review, { ...edited, status: "REJECTED", category: "MARKETING" }), {
    ...review,
    category: { value: "MARKETING", at },
  });
  const early = { ...edited, at: time("11:59:00") };
  assert.deepEqual(afterEdit(review, early), review);
});

test("a created template takes a deleted one's place, unless news of it were quicker than the answer", () => {
  const created: Review = {
    status: told("PENDING", "12:10:00"),
    quality: told("UNKNOWN", "12:10:00"),
    category: told("MARKETING", "12:10:00"),
    rejectedReason: told("NONE", "12:10:00"),
  };
  assert.deepEqual(afterCreation({ ...review, status: told("DELETED", "12:10:20") }, created), created);
  const rejected = { status: told("REJECTED", "12:10:05"), rejectedReason: told("SCAM", "12:10:05") };
  assert.deepEqual(afterCreation({ ...review, ...rejected }, created), { ...created, ...rejected });
  const read = { ...review, category: told("UTILITY", "12:10:05"), quality: told("GREEN", "12:10:05") };
  assert.deepEqual(afterCreation(read, created), read);
});
