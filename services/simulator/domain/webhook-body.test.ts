import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pricing } from "./pricing.ts";
import { accountChange, inboundChange, type Sender, type Status, statusChange, webhookBody } from "./webhook-body.ts";

const orders: Sender = { wabaId: "100", phoneNumberId: "201", displayPhoneNumber: "15550100001" };
const care: Sender = { wabaId: "100", phoneNumberId: "202", displayPhoneNumber: "15550100002" };
const contact = { name: "Ana", waId: "15550100999", userId: "US.1300000000001999" };
const at = 1_795_000_000_999;
const pricing: Pricing = { billable: true, pricing_model: "PMP", type: "regular", category: "utility" };
const sent: Status = {
  wamid: "wamid.A",
  status: "sent",
  at,
  contact,
  callbackData: "order-42",
  pricing,
  errorCode: undefined,
};

const metadata = { display_phone_number: "15550100001", phone_number_id: "201" };
const contacts = [{ profile: { name: "Ana" }, wa_id: "15550100999", user_id: "US.1300000000001999" }];

test("a sent status has the price, the contact and the business's own data", () => {
  assert.deepEqual(JSON.parse(webhookBody([statusChange(orders, sent)])), {
    object: "whatsapp_business_account",
    entry: [
      {
        id: "100",
        changes: [
          {
            value: {
              messaging_product: "whatsapp",
              metadata,
              contacts,
              statuses: [
                {
                  id: "wamid.A",
                  status: "sent",
                  timestamp: "1795000000",
                  recipient_id: "15550100999",
                  recipient_user_id: "US.1300000000001999",
                  biz_opaque_callback_data: "order-42",
                  pricing,
                },
              ],
            },
            field: "messages",
          },
        ],
      },
    ],
  });
});

test("a failed status has an error and neither price nor contact", () => {
  const failed: Status = { ...sent, status: "failed", pricing: undefined, errorCode: 131047 };
  const body = JSON.parse(webhookBody([statusChange(orders, failed)]));
  const { value } = body.entry[0].changes[0];
  assert.deepEqual(value, {
    messaging_product: "whatsapp",
    metadata,
    statuses: [
      {
        id: "wamid.A",
        status: "failed",
        timestamp: "1795000000",
        recipient_id: "15550100999",
        biz_opaque_callback_data: "order-42",
        errors: [
          {
            code: 131047,
            title: "Re-engagement message",
            message: "Re-engagement message",
            error_data: {
              details:
                "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
            },
            href: "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
          },
        ],
      },
    ],
  });
});

test("an inbound message stands under the key of its type, with the message that it answers", () => {
  const change = inboundChange(orders, {
    wamid: "wamid.B",
    at,
    contact,
    type: "button",
    content: { text: "On my way", payload: "omw" },
    context: { from: "15550100001", id: "wamid.A" },
  });
  const { value } = JSON.parse(webhookBody([change])).entry[0].changes[0];
  assert.deepEqual(value, {
    messaging_product: "whatsapp",
    metadata,
    contacts,
    messages: [
      {
        context: { from: "15550100001", id: "wamid.A" },
        from: "15550100999",
        from_user_id: "US.1300000000001999",
        id: "wamid.B",
        timestamp: "1795000000",
        type: "button",
        button: { text: "On my way", payload: "omw" },
      },
    ],
  });
});

test("a batch has one entry for an account, one change for a number and kind, and each contact once", () => {
  const text = inboundChange(care, {
    wamid: "wamid.C",
    at,
    contact,
    type: "text",
    content: { body: "hi" },
    context: undefined,
  });
  const changes = [
    statusChange(orders, sent),
    statusChange(care, { ...sent, wamid: "wamid.D" }),
    text,
    statusChange(orders, { ...sent, status: "delivered" }),
  ];
  const { entry } = JSON.parse(webhookBody(changes));
  assert.equal(entry.length, 1);
  const shape = entry[0].changes.map(({ value }: { value: Record<string, unknown[]> }) => [
    value["contacts"]?.length,
    value["statuses"]?.length,
    value["messages"]?.length,
  ]);
  assert.deepEqual(shape, [
    [1, 2, undefined],
    [1, 1, undefined],
    [1, undefined, 1],
  ]);
});

test("accounts have entries of their own, news about an account has a time", () => {
  const changes = [
    statusChange(orders, sent),
    statusChange({ ...orders, wabaId: "101" }, sent),
    accountChange("100", "account_review_update", at, `{"decision":"APPROVED"}`),
    accountChange("100", "account_alerts", at, `{"entity_id":"100"}`),
  ];
  const { entry } = JSON.parse(webhookBody(changes));
  assert.deepEqual(
    entry.map(({ id, time }: { id: string; time?: number }) => [id, time]),
    [
      ["100", undefined],
      ["101", undefined],
      ["100", 1_795_000_000],
    ],
  );
  assert.deepEqual(entry[2].changes, [
    { value: { decision: "APPROVED" }, field: "account_review_update" },
    { value: { entity_id: "100" }, field: "account_alerts" },
  ]);
});

test("characters beyond ASCII are escapes on the wire, as Meta signs them", () => {
  const change = statusChange(orders, { ...sent, contact: { ...contact, name: 'Zoë "☕" 😀' } });
  const body = webhookBody([change]);
  assert.match(body, /Zo\\u00eb \\"\\u2615\\" \\ud83d\\ude00/);
  assert.equal(JSON.parse(body).entry[0].changes[0].value.contacts[0].profile.name, 'Zoë "☕" 😀');
});
