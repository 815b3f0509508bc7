// Explaining over REST: bodies and headers of a real send in, verdicts in the words of the documentation out.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ExplainVerdict, Lane } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { phoneNumberId, type Started, startTestGateway, token } from "./test-gateway.ts";

let gateway: Started;

before(async () => {
  gateway = await startTestGateway();
});
after(() => gateway[Symbol.asyncDispose]());
beforeEach(() => {
  gateway.peers.explained.length = 0;
});

type Verdict = { verdict: string; reason?: string; waitsFor?: string };
type Answer = {
  summary: { total: number; allowed: number };
  messages: Verdict[];
  error: { code: number; error_data: { details: string } };
};

async function explain(body: unknown, { query = `?number=${phoneNumberId}`, headers = {} } = {}) {
  const response = await fetch(`${gateway.api}/heliograph/v1/explain${query}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, json: (await response.json()) as Answer };
}

const text = { messaging_product: "whatsapp", to: "+12025550123", text: { body: "Hi" } };
const at = (seconds: number): Date => new Date(1_800_000_000_000 + seconds * 1_000);
const refusal = {
  verdict: ExplainVerdict.REFUSED,
  reason: "window_closed",
  details: "the user has not written to this number",
  remedy: "wait",
  recipient: "12025550123",
  window: { open: false },
  category: "SERVICE",
  priceUnknown: "no rate card is loaded",
  lane: Lane.REPLY,
};
const allowance = {
  verdict: ExplainVerdict.ALLOWED,
  earliestAt: timestampFromDate(at(1)),
  waitsFor: "pace",
  recipient: "12025550124",
  lane: Lane.BULK,
};

test("one body has one verdict, with Meta's error and what would help", async () => {
  gateway.peers.explanation = { explanations: [refusal], limit: { messagingLimit: 250n, used: 249n, usedAfter: 250n } };
  const headers = { "heliograph-lane": "bulk", "heliograph-ttl": "60" };
  const { status, json } = await explain(text, { headers });
  assert.equal(status, 200);
  assert.deepEqual(json, {
    to: "12025550123",
    verdict: "refused",
    reason: "window_closed",
    details: "the user has not written to this number",
    remedy: "wait",
    error: {
      code: 131_047,
      title: "Customer service window is closed: more than 24 hours since the user's last message",
    },
    earliestAt: null,
    window: { open: false, closesAt: null, leftSeconds: 0 },
    category: "SERVICE",
    price: null,
    priceUnknown: "no rate card is loaded",
    lane: "reply",
    limit: { limit: 250, used: 249, usedAfter: 250, leftAfter: 0 },
  });
  const [asked] = gateway.peers.explained.flatMap(({ messages }) => messages);
  assert.deepEqual(
    [asked?.phoneNumberId, asked?.recipient, asked?.lane, asked?.ttlSeconds, asked?.content?.kind.case],
    [phoneNumberId, "12025550123", Lane.BULK, 60, "text"],
  );
});

test("a campaign has a summary, and bodies that are wrong stand in their places", async () => {
  gateway.peers.explanation = {
    explanations: [refusal, allowance],
    summary: {
      total: 2,
      allowed: 1,
      withinDay: 1,
      refused: [{ reason: "window_closed", count: 1 }],
      lastAllowedAt: timestampFromDate(at(1)),
      lastAt: timestampFromDate(at(1)),
    },
  };
  const { json } = await explain({ messages: [{ ...text, to: "x" }, text, { ...text, to: "+12025550124" }] });
  assert.deepEqual(json.summary, {
    total: 3,
    allowed: 1,
    withinDay: 1,
    refused: { window_closed: 1, recipient_invalid: 1 },
    unknown: {},
    lastAllowedAt: at(1).toISOString(),
    lastAt: at(1).toISOString(),
  });
  assert.deepEqual(
    json.messages.map(({ verdict, reason, waitsFor }) => [verdict, reason ?? waitsFor]),
    [
      ["refused", "recipient_invalid"],
      ["refused", "window_closed"],
      ["allowed", "pace"],
    ],
  );
  const lanes = gateway.peers.explained.flatMap(({ messages }) => messages.map(({ lane }) => lane));
  assert.deepEqual(lanes, [Lane.UNSPECIFIED, Lane.UNSPECIFIED]);
});

test("a campaign of wrong bodies asks nobody", async () => {
  const { json } = await explain({ messages: [{}, { ...text, to: "15550009999" }, { status: "read" }] });
  assert.deepEqual(
    json.messages.map(({ reason }) => reason),
    ["content_missing", "recipient_is_sender", "content_missing"],
  );
  assert.deepEqual([json.summary.total, json.summary.allowed, gateway.peers.explained.length], [3, 0, 0]);
});

const wrong: [sentence: string, body: unknown, query: string | undefined, code: number, details: RegExp][] = [
  ["a body that a send refuses is refused the same way", { ...text, to: "x" }, undefined, 131_009, /to must be/],
  [
    "a mark as read is no message",
    { messaging_product: "whatsapp", status: "read", message_id: "wamid.X" },
    undefined,
    100,
    /mark as read/,
  ],
  ["the number must be named", text, "", 100, /query\.number/],
  ["and exist", text, "?number=9", 100, /9 does not exist/],
  ["a campaign has messages", { messages: [] }, undefined, 100, /1 to 5000/],
  ["and not too many", { messages: Array.from({ length: 5_001 }, () => 0) }, undefined, 100, /1 to 5000/],
];
for (const [sentence, body, query, code, details] of wrong) {
  test(sentence, async () => {
    const { status, json } = await explain(body, query === undefined ? {} : { query });
    assert.deepEqual([status, json.error.code], [400, code]);
    assert.match(json.error.error_data.details, details);
  });
}

test("without a token nothing is told", async () => {
  const { status } = await explain(text, { headers: { authorization: "Bearer another" } });
  assert.equal(status, 401);
});
