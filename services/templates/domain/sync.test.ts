import assert from "node:assert/strict";
import { test } from "node:test";
import type { Review } from "./state.ts";
import { type Listed, planSync, toldAt } from "./sync.ts";

function time(text: string): Date {
  return new Date(`2026-03-02T${text}Z`);
}

function review(status: string, at: Date): Review {
  return toldAt({ status, quality: "GREEN", category: "UTILITY", rejectedReason: "NONE" }, at);
}

const listed = (name: string, more: Partial<Listed> = {}): Listed => ({
  name,
  language: "en_US",
  templateId: "1",
  category: "UTILITY",
  status: "APPROVED",
  quality: "GREEN",
  parameterFormat: "POSITIONAL",
  componentsJson: "[]",
  messageSendTtlSeconds: undefined,
  rejectedReason: "NONE",
  ...more,
});

const listedAt = time("12:00");
const before = time("11:00");
const after = time("12:01");

const cases: [
  sentence: string,
  known: [name: string, review: Review][],
  listed: Listed[],
  statuses: Record<string, string>,
][] = [
  ["a new template is taken as it is listed", [], [listed("a")], { a: "APPROVED" }],
  ["a known one takes the listed state", [["a", review("PENDING", before)]], [listed("a")], { a: "APPROVED" }],
  [
    "what an event told after the reading began holds",
    [["a", review("PAUSED", after)]],
    [listed("a")],
    { a: "PAUSED" },
  ],
  ["one that is not listed any more is deleted", [["a", review("APPROVED", before)]], [], { a: "DELETED" }],
  ["unless an event told of it after the reading began", [["a", review("APPROVED", after)]], [], {}],
  ["a deleted one may come back", [["a", review("DELETED", before)]], [listed("a")], { a: "APPROVED" }],
  ["an entry that comes twice is saved once", [], [listed("a", { status: "PENDING" }), listed("a")], { a: "APPROVED" }],
];
for (const [sentence, known, given, statuses] of cases) {
  test(sentence, () => {
    const plan = planSync(
      known.map(([name, told]) => ({ name, language: "en_US", review: told })),
      given,
      listedAt,
    );
    const changed = [...plan.upserts, ...plan.vanished].map(({ name, review: told }) => [name, told.status.value]);
    assert.deepEqual(Object.fromEntries(changed), statuses);
    assert.equal(changed.length, Object.keys(statuses).length);
  });
}
