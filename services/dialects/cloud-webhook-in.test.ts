import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { toJson } from "@bufbuild/protobuf";
import { IngestRequestSchema } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { parseWebhook } from "./cloud-webhook-in.ts";

const receivedAt = new Date("2026-11-24T10:00:00Z");
const at = "2026-09-21T14:13:20Z"; // 1790000000
const metadata = { display_phone_number: "15550009999", phone_number_id: "106500000000001" };
const place = { phoneNumberId: "106500000000001", wabaId: "waba1" };

const envelope = (...changes: unknown[]) => ({
  object: "whatsapp_business_account",
  entry: [{ id: "waba1", changes }],
});
const messages = (value: object) =>
  envelope({ field: "messages", value: { messaging_product: "whatsapp", metadata, ...value } });
const ana = { profile: { name: "Ana" }, wa_id: "15550001111", user_id: "US.1349" };
const hi = { from: "15550001111", id: "wamid.A", timestamp: "1790000000", type: "text", text: { body: "hi" } };
const base64 = (json: unknown) => Buffer.from(JSON.stringify(json)).toString("base64");

function parse(body: unknown): unknown {
  const bytes = Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  return toJson(IngestRequestSchema, parseWebhook(bytes, receivedAt));
}

const inboundHi = {
  ...place,
  wamid: "wamid.A",
  from: "15550001111",
  profileName: "Ana",
  at,
  type: "text",
  messageJson: base64(hi),
};
const delivered = { id: "wamid.B", status: "delivered", timestamp: "1790000000", recipient_id: "15550001111" };
const plainStatus = { ...place, wamid: "wamid.B", status: "delivered", at, recipient: "15550001111" };

const cases: [sentence: string, body: unknown, expected: object][] = [
  ["a text", messages({ contacts: [ana], messages: [hi] }), { inbound: [inboundHi] }],
  [
    "a timestamp may be a number",
    messages({ contacts: [ana], messages: [{ ...hi, timestamp: 1790000000 }] }),
    { inbound: [{ ...inboundHi, messageJson: base64({ ...hi, timestamp: 1790000000 }) }] },
  ],
  [
    "a user without a shared number is named by user id",
    messages({
      contacts: [{ profile: { name: "Ana" }, user_id: "US.1349" }],
      messages: [{ ...hi, from: undefined, from_user_id: "US.1349" }],
    }),
    {
      inbound: [
        { ...inboundHi, from: "US.1349", messageJson: base64({ ...hi, from: undefined, from_user_id: "US.1349" }) },
      ],
    },
  ],
  [
    "the contact is found among several, and a quote is read",
    messages({
      contacts: [{ profile: { name: "Bo" }, wa_id: "15550002222" }, "broken", ana],
      messages: [{ ...hi, context: { from: "15550009999", id: "wamid.Q" } }],
    }),
    {
      inbound: [
        {
          ...inboundHi,
          contextWamid: "wamid.Q",
          messageJson: base64({ ...hi, context: { from: "15550009999", id: "wamid.Q" } }),
        },
      ],
    },
  ],
  ["a plain status", messages({ statuses: [delivered] }), { statuses: [plainStatus] }],
  [
    "a status with everything",
    messages({
      statuses: [
        {
          ...delivered,
          biz_opaque_callback_data: "x.1",
          conversation: { id: "c1", expiration_timestamp: "1790086400", origin: { type: "utility" } },
          pricing: { billable: true, pricing_model: "PMP", type: "regular", category: "utility" },
          errors: [{ code: 131049, title: "t", message: "m", error_data: { details: "d" }, href: "h" }],
        },
      ],
    }),
    {
      statuses: [
        {
          ...plainStatus,
          callbackData: "x.1",
          conversation: { id: "c1", expirationSeconds: "1790086400", originType: "utility" },
          pricing: { billable: true, pricingModel: "PMP", type: "regular", category: "utility" },
          errors: [{ code: 131049, title: "t", message: "m", details: "d", href: "h" }],
        },
      ],
    },
  ],
  [
    "malformed adornments do not cost the status",
    messages({
      statuses: [{ ...delivered, pricing: "free", conversation: 7, errors: [null, { code: 1, error_data: "why" }] }],
    }),
    { statuses: [{ ...plainStatus, errors: [{ code: 1, details: "why" }] }] },
  ],
  [
    "errors of the number are account news, beside a status",
    messages({ statuses: [delivered], errors: [{ code: 130429 }] }),
    {
      statuses: [plainStatus],
      accountUpdates: [
        {
          wabaId: "waba1",
          field: "messages",
          at: "2026-11-24T10:00:00Z",
          valueJson: base64({ messaging_product: "whatsapp", metadata, errors: [{ code: 130429 }] }),
        },
      ],
    },
  ],
  [
    "other fields pass verbatim, with ids beyond 2^53",
    '{"object":"whatsapp_business_account","entry":[{"id":"waba1","time":1790000000,"changes":[' +
      '{"field":"message_template_status_update","value":{"event":"APPROVED","message_template_id":98765432109876543210}}]}]}',
    {
      accountUpdates: [
        {
          wabaId: "waba1",
          field: "message_template_status_update",
          at,
          valueJson: Buffer.from('{"event":"APPROVED","message_template_id":98765432109876543210}').toString("base64"),
        },
      ],
    },
  ],
  [
    "a bad message blocks neither its neighbours nor other changes",
    {
      object: "whatsapp_business_account",
      entry: [
        7,
        { ...messages({ contacts: [ana], messages: [{ id: "wamid.X" }, hi] }).entry[0] },
        { id: "waba2", changes: [{}] },
      ],
    },
    {
      inbound: [inboundHi],
      unparsed: [
        { body: base64(7), error: "entry Invalid input: expected object, received number" },
        {
          body: base64({ wabaId: "waba1", phoneNumberId: "106500000000001", message: { id: "wamid.X" } }),
          error: "message timestamp: Invalid input",
        },
        {
          body: base64({ id: "waba2", changes: [{}] }),
          error: "change field: Invalid input: expected string, received undefined",
        },
      ],
    },
  ],
  [
    "what is not JSON is kept",
    "{oops",
    { unparsed: [{ body: Buffer.from("{oops").toString("base64"), error: "body is not JSON" }] },
  ],
  ["an empty envelope has no news", { object: "whatsapp_business_account", entry: [] }, {}],
];
for (const [sentence, body, expected] of cases) {
  test(sentence, () => assert.deepEqual(parse(body), expected));
}

test("another product's webhook is kept unparsed", () => {
  const { unparsed } = parseWebhook(Buffer.from('{"object":"page","entry":[]}'), receivedAt);
  assert.equal(unparsed.length, 1);
});

test("NUL and lone surrogates do not reach the ledger", () => {
  const body = messages({ contacts: [{ profile: { name: "A\0\ud800" }, wa_id: "15550001111" }], messages: [hi] });
  assert.equal(parseWebhook(Buffer.from(JSON.stringify(body)), receivedAt).inbound[0]?.profileName, "A\uFFFD\uFFFD");
});

test("a time beyond protobuf's range costs only its message", () => {
  const news = parseWebhook(
    Buffer.from(JSON.stringify(messages({ messages: [{ ...hi, timestamp: "999999999999" }, hi] }))),
    receivedAt,
  );
  assert.deepEqual([news.inbound.length, news.unparsed.length], [1, 1]);
});
