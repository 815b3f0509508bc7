import assert from "node:assert/strict";
import { test } from "node:test";
import { decideAccept, type Sending } from "./accept.ts";
import type { PhoneNumber } from "./number.ts";

const now = new Date("2026-03-02T10:00:00Z");
const hourMs = 3_600_000;
const number: PhoneNumber = {
  phoneNumberId: "101",
  wabaId: "500",
  displayPhoneNumber: "4930101",
  name: "main",
  spec: {
    messagesPerSecond: 20,
    unknownPolicy: "fail",
    unknownTimeoutSeconds: 600,
    queueLimit: 10,
    defaultTtlSeconds: 3_600,
    contentPolicy: "store",
  },
};

/** A version 7 UUID of that time. */
function idOf(at: number): string {
  const hex = at.toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000001`;
}

const sending: Sending = {
  messageId: idOf(now.getTime()),
  phoneNumberId: "101",
  recipient: "4915112345678",
  lane: "reply",
  category: "",
  templateName: "",
  templateLanguage: "",
  campaign: "",
  clientCallbackData: "",
  content: new Uint8Array(),
  contextMessageId: undefined,
  contextWamid: "",
  ttlSeconds: 0,
};

const facts = { number, queued: 0, now };

const cases: [sentence: string, given: Partial<Sending>, facts: Partial<typeof facts>, expected: string][] = [
  ["a message is accepted", {}, {}, "accepted"],
  ["the last place of the queue is taken", {}, { queued: 9 }, "accepted"],
  ["a full queue takes nothing", {}, { queued: 10 }, "overloaded"],
  ["an id of 24 hours ago is taken", { messageId: idOf(now.getTime() - 24 * hourMs) }, {}, "accepted"],
  ["an older one is not", { messageId: idOf(now.getTime() - 24 * hourMs - 1) }, {}, "message_id_out_of_time"],
  ["an id of in 24 hours is taken", { messageId: idOf(now.getTime() + 24 * hourMs) }, {}, "accepted"],
  ["a later one is not", { messageId: idOf(now.getTime() + 24 * hourMs + 1) }, {}, "message_id_out_of_time"],
  [
    "a UUID of another version is not",
    { messageId: "0199a7d0-5c00-4000-8000-000000000001" },
    {},
    "message_id_out_of_time",
  ],
];
for (const [sentence, given, rest, expected] of cases) {
  test(sentence, () => {
    const acceptance = decideAccept({ ...sending, ...given }, { ...facts, ...rest });
    assert.equal(acceptance.kind === "accepted" ? "accepted" : acceptance.reason, expected);
  });
}

test("a number that is not declared takes nothing", () => {
  assert.deepEqual(decideAccept(sending, { ...facts, number: undefined }), {
    kind: "refused",
    reason: "number_unknown",
  });
});

const lives: [sentence: string, ttlSeconds: number, expiresAt: string][] = [
  ["a message lives as long as its number says", 0, "2026-03-02T11:00:00Z"],
  ["or as long as it says itself", 60, "2026-03-02T10:01:00Z"],
];
for (const [sentence, ttlSeconds, expiresAt] of lives) {
  test(sentence, () => {
    const acceptance = decideAccept({ ...sending, ttlSeconds }, facts);
    assert.ok(acceptance.kind === "accepted");
    assert.deepEqual(acceptance.message.expiresAt, new Date(expiresAt));
    assert.deepEqual(acceptance.message.dueAt, now);
  });
}
