import assert from "node:assert/strict";
import { test } from "node:test";
import type { Transition } from "./audit.ts";
import { type Evidence, judge } from "./judges.ts";

const messageId = "0199c1a0-0000-7000-8000-000000000001";
const at = (ms: number): Date => new Date(1_800_000_000_000 + ms);

function begin(changes: Partial<Transition> = {}): Transition {
  const move = { from: "accepted", to: "sending", attempt: 1, term: 3, reason: "", leaseTerm: 3 };
  return { messageId, at: at(0), phoneNumberId: "1", ...move, ...changes };
}

const frame = { callbackData: `${messageId}.1`, to: "2", text: "hi", acceptedAt: at(10).getTime(), deliveredAt: 1 };

/** One message, sent once, read, and told so. */
const good: Evidence = {
  accepted: [{ wamid: "w", messageId, phoneNumberId: "1", user: "2", words: "hi" }],
  refused: [],
  inbound: ["u"],
  frames: [frame],
  statuses: ["sent", "delivered", "read"].map((status) => ({ id: "w", status })),
  inboundAtWebhook: new Set(["u"]),
  badSignatures: 0,
  audit: { transitions: [begin()], grants: [] },
};

const cases: [sentence: string, changes: Partial<Evidence>, rules: string[]][] = [
  ["a message that was sent once and read is in order", {}, []],
  [
    "one frame after another with the same id is a duplicate, in the ledger's words and in the user's",
    {
      frames: [frame, { ...frame, callbackData: `${messageId}.2` }],
      audit: { transitions: [begin(), begin({ attempt: 2 })], grants: [] },
    },
    ["duplicate", "duplicate"],
  ],
  ["delivered is not the end", { statuses: [{ id: "w", status: "delivered" }] }, ["lost"]],
  ["a message on a phone that is told as failed only is lost", { statuses: [{ id: "w", status: "failed" }] }, ["lost"]],
  ["a message on no phone is told as failed", { frames: [], statuses: [{ id: "w", status: "failed" }] }, []],
  ["one that nobody speaks of is lost", { frames: [], statuses: [] }, ["lost"]],
  ["a frame needs its own intent", { audit: { transitions: [begin({ attempt: 2 })], grants: [] } }, ["no intent"]],
  [
    "a Begin of an older term is stale",
    { audit: { transitions: [begin({ leaseTerm: 4 })], grants: [] } },
    ["stale begin"],
  ],
  ["what a user wrote must arrive", { inboundAtWebhook: new Set() }, ["lost"]],
  ["a bad signature counts", { badSignatures: 1 }, ["signature"]],
  ["so does a refusal", { refused: ["hi: 400"] }, ["refused"]],
];
for (const [sentence, changes, rules] of cases) {
  test(sentence, () => {
    assert.deepEqual(
      judge({ ...good, ...changes }).violations.map(({ rule }) => rule),
      rules,
    );
  });
}

test("a frame that comes after the next term was granted is counted, not condemned", () => {
  const grant = { phoneNumberId: "1", term: 4, holder: "h", cause: "expired", at: at(5) };
  const { late, violations } = judge({ ...good, audit: { transitions: [begin()], grants: [grant] } });
  assert.deepEqual({ late, violations }, { late: 1, violations: [] });
});

test("what ended as unknown_outcome is counted", () => {
  const given = begin({ from: "unknown", to: "failed", reason: "unknown_outcome" });
  const statuses = [{ id: "w", status: "failed" }];
  const { unknown } = judge({ ...good, frames: [], statuses, audit: { transitions: [begin(), given], grants: [] } });
  assert.equal(unknown, 1);
});
