import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Lane, MessageSchema, MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { toMessageJson } from "./message-json.ts";

const messageId = "01936b2e-7c4a-7d10-8f3e-1a2b3c4d5e6f";
const at = timestampFromDate(new Date("2026-03-02T10:00:00Z"));

test("a row is shown in words, by both of our ids, without WhatsApp's", () => {
  const row = create(MessageSchema, {
    messageId,
    phoneNumberId: "1",
    state: MessageState.READ,
    lane: Lane.BULK,
    wamid: "wamid.inside",
    dueAt: at,
    history: [{ state: MessageState.ACCEPTED, at }],
  });
  assert.deepEqual(toMessageJson(row), {
    id: "wamid.SEcBk2sufEp9EI8-Gis8TV5v",
    messageId,
    phoneNumberId: "1",
    state: "read",
    lane: "bulk",
    history: [{ state: "accepted", at: "2026-03-02T10:00:00Z" }],
  });
});

test("while a step is due, its time is shown", () => {
  const row = create(MessageSchema, { messageId, state: MessageState.WAITING, lane: Lane.REPLY, dueAt: at });
  assert.equal(toMessageJson(row)["dueAt"], "2026-03-02T10:00:00Z");
});
