import assert from "node:assert/strict";
import { test } from "node:test";
import { describeWebhook } from "./webhook-lines.ts";

const metadata = { display_phone_number: "15550100001", phone_number_id: "106540352242922" };

function webhook(field: string, value: object): unknown {
  return { object: "whatsapp_business_account", entry: [{ id: "102", changes: [{ field, value }] }] };
}

const cases: [sentence: string, body: unknown, lines: string[]][] = [
  [
    "a text of a user is shown with the user's name",
    webhook("messages", {
      metadata,
      contacts: [{ wa_id: "15551230001", profile: { name: "Ana" } }],
      messages: [{ from: "15551230001", id: "wamid.1", type: "text", text: { body: "two\nlattes" } }],
    }),
    ['+15550100001 ← +15551230001 (Ana): "two lattes"'],
  ],
  [
    "a message of another type is shown as its object",
    webhook("messages", {
      metadata,
      messages: [{ from: "15551230001", id: "wamid.1", type: "button", button: { text: "Yes" } }],
    }),
    ['+15550100001 ← +15551230001: button {"text":"Yes"}'],
  ],
  [
    "statuses are shown with price and the end of the id",
    webhook("messages", {
      metadata,
      statuses: [
        {
          id: "wamid.HBgLMTU1NTAxMDAwMDEVAgARGBI",
          status: "sent",
          recipient_id: "15551230001",
          pricing: { billable: true, category: "utility", type: "regular" },
        },
        {
          id: "wamid.2",
          status: "failed",
          recipient_id: "15551230001",
          errors: [{ code: 131047, title: "Re-engagement message", error_data: { details: "more than 24 hours" } }],
        },
      ],
    }),
    [
      "+15550100001 → +15551230001: sent (utility, regular)  …wMDEVAgARGBI",
      "+15550100001 → +15551230001: failed 131047 more than 24 hours  wamid.2",
    ],
  ],
  [
    "news of the account is shown as it came",
    webhook("account_review_update", { decision: "APPROVED" }),
    ['account 102: account_review_update {"decision":"APPROVED"}'],
  ],
  [
    "a body of another dialect is shown as it came",
    { statuses: [] },
    ['a body that is not of the Cloud dialect: {"statuses":[]}'],
  ],
];
for (const [sentence, body, lines] of cases) {
  test(sentence, () => assert.deepEqual(describeWebhook(body), lines));
}
