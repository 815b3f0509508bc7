import assert from "node:assert/strict";
import { test } from "node:test";
import { type Contact, decideContacts, type InboundMessage } from "./inbound.ts";

const now = new Date("2026-03-02T10:00:00Z");
const at = (time: string): Date => new Date(`2026-03-02T${time}Z`);

function wrote(time: string, rest: Partial<InboundMessage> = {}): InboundMessage {
  return {
    phoneNumberId: "101",
    wabaId: "500",
    wamid: "wamid.in",
    from: "4915112345678",
    profileName: "Ana",
    at: at(time),
    type: "text",
    messageJson: new Uint8Array(),
    contextMessageId: undefined,
    ...rest,
  };
}

const ana: Contact = { phoneNumberId: "101", waId: "4915112345678", profileName: "Ana", lastInboundAt: at("09:00:00") };

const cases: [sentence: string, received: InboundMessage[], expected: Contact[]][] = [
  ["nothing received, no contacts", [], []],
  ["a message makes a contact", [wrote("09:00:00")], [ana]],
  [
    "the latest of several counts, whatever their order",
    [wrote("09:00:00"), wrote("08:00:00", { profileName: "Old" })],
    [ana],
  ],
  ["the name may come with another one", [wrote("08:00:00"), wrote("09:00:00", { profileName: "" })], [ana]],
  ["a stamp from the future is cut to now", [wrote("10:01:01")], [{ ...ana, lastInboundAt: now }]],
  ["a minute ahead is not", [wrote("10:01:00")], [{ ...ana, lastInboundAt: at("10:01:00") }]],
  [
    "a system message is none of the user's",
    [wrote("09:00:00", { type: "system" })],
    [{ ...ana, lastInboundAt: undefined }],
  ],
  ["nor does it hide the user's", [wrote("09:00:00"), wrote("09:30:00", { type: "system" })], [ana]],
  [
    "users and numbers are told apart, in the order of their keys",
    [wrote("09:00:00", { phoneNumberId: "102" }), wrote("09:00:00", { from: "5" }), wrote("09:00:00")],
    [ana, { ...ana, waId: "5" }, { ...ana, phoneNumberId: "102" }],
  ],
];
for (const [sentence, received, expected] of cases) {
  test(sentence, () => assert.deepEqual(decideContacts(received, now), expected));
}
