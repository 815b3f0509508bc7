import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  AccountEventSchema,
  ForeignStatusEventSchema,
  InboundEventSchema,
  MessageEventSchema,
} from "#proto/heliograph/messages/v1/events_pb.ts";
import { accountEventBody, foreignStatusBody, inboundEventBody, messageEventBody } from "./cloud-webhook-out.ts";
import { toWamid } from "./message-id.ts";

const messageId = "01936b2e-7c4a-7d10-8f3e-1a2b3c4d5e6f";
const at = timestampFromMs(1_790_000_000_250);
const place = { phoneNumberId: "106500000000001", wabaId: "waba1", displayPhoneNumber: "15550009999" };
const head = {
  messaging_product: "whatsapp",
  metadata: { display_phone_number: "15550009999", phone_number_id: "106500000000001" },
};

function messagesBody(value: object) {
  return {
    object: "whatsapp_business_account",
    entry: [{ id: "waba1", changes: [{ field: "messages", value: { ...head, ...value } }] }],
  };
}

const status = { id: toWamid(messageId), status: "sent", timestamp: "1790000000", recipient_id: "15550001111" };

const statuses: [sentence: string, event: MessageInitShape<typeof MessageEventSchema>, expected: object | undefined][] =
  [
    ["sent", { verb: "sent" }, status],
    [
      "read, with the client's own callback data",
      { verb: "read", clientCallbackData: "order-42" },
      { ...status, status: "read", biz_opaque_callback_data: "order-42" },
    ],
    [
      "delivered, with price and conversation",
      {
        verb: "delivered",
        pricing: { billable: false, pricingModel: "PMP", type: "free_customer_service", category: "service" },
        conversation: { id: "c1", originType: "service", expirationSeconds: 1790086400n },
      },
      {
        ...status,
        status: "delivered",
        conversation: { id: "c1", expiration_timestamp: "1790086400", origin: { type: "service" } },
        pricing: { billable: false, pricing_model: "PMP", type: "free_customer_service", category: "service" },
      },
    ],
    [
      "failed, with its error",
      { verb: "failed", reason: "window_closed", errors: [{ code: 131047, title: "t", details: "d", href: "h" }] },
      {
        ...status,
        status: "failed",
        errors: [{ code: 131047, title: "t", message: "t", error_data: { details: "d" }, href: "h" }],
      },
    ],
    [
      "cancelled is failed with 131000, since an accepted id always comes to an end",
      { verb: "cancelled", reason: "cancelled" },
      {
        ...status,
        status: "failed",
        errors: [
          {
            code: 131000,
            title: "Something went wrong",
            message: "Something went wrong",
            error_data: { details: "cancelled by the business" },
            href: "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
          },
        ],
      },
    ],
    ["unknown has no status", { verb: "unknown" }, undefined],
  ];
for (const [sentence, event, expected] of statuses) {
  test(sentence, () => {
    const body = messageEventBody(
      create(MessageEventSchema, { ...place, messageId, recipient: "15550001111", at, ...event }),
    );
    assert.deepEqual(body, expected === undefined ? undefined : messagesBody({ statuses: [expected] }));
  });
}

test("expired is failed with 131000 and the reason", () => {
  const event = create(MessageEventSchema, {
    ...place,
    messageId,
    recipient: "15550001111",
    at,
    verb: "expired",
    reason: "expired",
  });
  const text = JSON.stringify(messageEventBody(event));
  assert.match(text, /"status":"failed"/);
  assert.match(text, /"code":131000,.*"error_data":{"details":"expired"}/);
});

test("a foreign status passes with its own id and callback data", () => {
  const event = create(ForeignStatusEventSchema, {
    ...place,
    wamid: "wamid.OTHER",
    status: "played",
    recipient: "US.1349",
    callbackData: "theirs",
    at,
  });
  assert.deepEqual(
    foreignStatusBody(event),
    messagesBody({
      statuses: [
        {
          id: "wamid.OTHER",
          status: "played",
          timestamp: "1790000000",
          recipient_user_id: "US.1349",
          biz_opaque_callback_data: "theirs",
        },
      ],
    }),
  );
});

const message = { from: "15550001111", id: "wamid.A", timestamp: "1790000000", type: "text", text: { body: "hi" } };

function inbound(fields: MessageInitShape<typeof InboundEventSchema> = {}) {
  const messageJson = Buffer.from(JSON.stringify(message));
  return create(InboundEventSchema, {
    ...place,
    from: "15550001111",
    profileName: "Ana",
    type: "text",
    messageJson,
    ...fields,
  });
}

test("an inbound message comes as Meta wrote it, with its contact", () => {
  const contacts = [{ profile: { name: "Ana" }, wa_id: "15550001111" }];
  assert.deepEqual(inboundEventBody(inbound()), messagesBody({ contacts, messages: [message] }));
});

test("a user without a number is a user id", () => {
  const contacts = [{ profile: { name: "Ana" }, user_id: "US.1349" }];
  assert.deepEqual(inboundEventBody(inbound({ from: "US.1349" })), messagesBody({ contacts, messages: [message] }));
});

test("a system message has no contacts", () => {
  assert.deepEqual(inboundEventBody(inbound({ type: "system" })), messagesBody({ messages: [message] }));
});

test("account news keeps its numbers and has a time", () => {
  const value = '{"event":"APPROVED","message_template_id":98765432109876543210}';
  const field = "message_template_status_update";
  const event = create(AccountEventSchema, { wabaId: "waba1", field, valueJson: Buffer.from(value), at });
  assert.equal(
    JSON.stringify(accountEventBody(event)),
    `{"object":"whatsapp_business_account","entry":[{"id":"waba1","time":1790000000,"changes":[{"field":"${field}","value":${value}}]}]}`,
  );
});
