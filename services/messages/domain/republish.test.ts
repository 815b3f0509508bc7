import assert from "node:assert/strict";
import { test } from "node:test";
import type { MessageError, Progress, Transition } from "./progress.ts";
import { impliedNews } from "./republish.ts";
import { accepted, at } from "./test-progress.ts";

const error: MessageError = { code: 131_047, title: "", message: "", details: "", href: "" };
const sending: Progress = { ...accepted, state: "sending", attempt: 2, term: 7 };
const sentByUs: Progress = { ...sending, state: "sent", sentAt: at("10:00:00") };
const sent: Progress = { ...sentByUs, sentNewsAt: at("10:00:01") };
const delivered: Progress = { ...sent, state: "delivered", deliveredAt: at("10:00:02") };
const read: Progress = { ...delivered, state: "read", readAt: at("10:00:03") };
const end = { reason: "why", failedAt: at("10:00:04") };
const unknown: Transition[] = ["08", "09"].map((hour) => ({
  state: "unknown",
  at: at(`${hour}:30:00`),
  attempt: 2,
  term: 8,
  reason: "no_finish",
}));

const cases: [sentence: string, message: Progress, told: string[]][] = [
  ["what waits has told nothing", accepted, []],
  ["what is on the wire neither", sending, []],
  ["WhatsApp's 200 is no news", sentByUs, []],
  ["sent", sent, ["sent 2 10:00:01"]],
  ["delivered", delivered, ["sent 2 10:00:01", "delivered 2 10:00:02"]],
  ["read", read, ["sent 2 10:00:01", "delivered 2 10:00:02", "read 2 10:00:03"]],
  ["failed before it was sent", { ...sending, ...end, state: "failed", error }, ["failed 2 10:00:04 why 131047"]],
  ["failed after it was sent", { ...sent, ...end, state: "failed" }, ["sent 2 10:00:01", "failed 2 10:00:04 why"]],
  ["expired", { ...accepted, ...end, state: "expired" }, ["expired 0 10:00:04 why"]],
  ["cancelled", { ...accepted, ...end, state: "cancelled" }, ["cancelled 0 10:00:04 why"]],
  [
    "unknown, since the last time",
    { ...sending, state: "unknown", reason: "no_finish" },
    ["unknown 2 09:30:00 no_finish"],
  ],
];
for (const [sentence, message, told] of cases) {
  test(sentence, () => {
    const lines = impliedNews(message, unknown).map(({ verb, attempt, at: when, reason, errors }) =>
      [verb, attempt, when.toISOString().slice(11, 19), reason, ...errors.map(({ code }) => code)].join(" ").trim(),
    );
    assert.deepEqual(lines, told);
  });
}
