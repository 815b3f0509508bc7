import assert from "node:assert/strict";
import { test } from "node:test";
import { decideCreate, decideDelete, decideEdit, editsAfter } from "./change.ts";

const now = new Date("2026-11-23T12:00:00Z");
const hoursAgo = (hours: number): Date => new Date(now.getTime() - hours * 3_600_000);
const daily = (count: number): Date[] => Array.from({ length: count }, (_, day) => hoursAgo(24 * (day + 1)));

const edits: [
  sentence: string,
  status: string | undefined,
  edits: Date[],
  category: string,
  reason: string | undefined,
  until?: Date,
][] = [
  ["an approved one may be edited", "APPROVED", [], "", undefined],
  ["not within 24 hours of an edit", "APPROVED", [hoursAgo(23)], "", "template_edit_limit", hoursAgo(-1)],
  ["but after them", "APPROVED", [hoursAgo(24)], "", undefined],
  ["not an eleventh time in 30 days", "APPROVED", daily(10), "", "template_edit_limit", hoursAgo(-20 * 24)],
  ["a tenth time it may", "APPROVED", daily(9), "", undefined],
  [
    "the later of both ends counts, in any order",
    "APPROVED",
    [hoursAgo(10 * 24), hoursAgo(1)],
    "",
    "template_edit_limit",
    hoursAgo(-23),
  ],
  ["its category stays", "APPROVED", [], "MARKETING", "template_not_editable"],
  ["naming the same category changes none", "APPROVED", [], "UTILITY", undefined],
  ["a rejected one may be edited at once", "REJECTED", [hoursAgo(0)], "MARKETING", undefined],
  ["a paused one too", "PAUSED", daily(10), "", undefined],
  ["one in review may not", "PENDING", [], "", "template_not_editable"],
  ["a disabled one may not", "DISABLED", [], "", "template_not_editable"],
  ["a state of tomorrow may not", "SLEEPING", [], "", "template_not_editable"],
  ["a deleted one is missing", "DELETED", [], "", "template_missing"],
  ["one that never was too", undefined, [], "", "template_missing"],
];
for (const [sentence, status, times, category, reason, until] of edits) {
  test(`edit: ${sentence}`, () => {
    const verdict = decideEdit({ status, category: "UTILITY", edits: times }, { category }, now);
    assert.deepEqual([verdict?.refused, verdict?.until], [reason, until]);
  });
}

const others: [status: string | undefined, create: string | undefined, del: string | undefined][] = [
  [undefined, undefined, "template_missing"],
  ["DELETED", undefined, "template_missing"],
  ["APPROVED", "template_exists", undefined],
  ["PENDING", "template_exists", undefined],
  ["DISABLED", "template_exists", "template_not_deletable"],
  ["PENDING_DELETION", "template_exists", undefined],
];
for (const [status, create, del] of others) {
  test(`create and delete of one that is ${status ?? "nowhere"}`, () => {
    assert.deepEqual([decideCreate(status)?.refused, decideDelete(status)?.refused], [create, del]);
  });
}

test("edits of an approved one count for 30 days, those of another not at all", () => {
  const old = [hoursAgo(30 * 24), hoursAgo(29 * 24)];
  assert.deepEqual(editsAfter({ status: "APPROVED", category: "", edits: old }, now), [hoursAgo(29 * 24), now]);
  assert.deepEqual(editsAfter({ status: "REJECTED", category: "", edits: old }, now), [hoursAgo(29 * 24)]);
});
