import assert from "node:assert/strict";
import { test } from "node:test";
import { toJson } from "@bufbuild/protobuf";
import { ContentSchema } from "#proto/heliograph/messages/v1/content_pb.ts";
import type { CloudReason } from "./cloud-errors.ts";
import { parseSend, toGraphMessage } from "./cloud-send.ts";

const base = { messaging_product: "whatsapp", to: "+15550001111" };
const text = (fields: object = {}) => ({ ...base, type: "text", text: { body: "hello" }, ...fields });
const template = (fields: object = {}) => ({
  ...base,
  type: "template",
  template: { name: "order_update", language: { code: "en_US" }, ...fields },
});
const components = (...list: unknown[]) => template({ components: list });

function contentOf(body: unknown): unknown {
  const parsed = parseSend(body);
  assert.ok(parsed.kind === "message", JSON.stringify(parsed));
  return toJson(ContentSchema, parsed.content);
}

const accepted: [sentence: string, body: unknown, content: unknown][] = [
  ["a text", text(), { text: { body: "hello" } }],
  ["a text with preview", text({ text: { body: "x", preview_url: true } }), { text: { body: "x", previewUrl: true } }],
  [
    "preview may be a word",
    text({ text: { body: "x", preview_url: "true" } }),
    { text: { body: "x", previewUrl: true } },
  ],
  ["type is text where none is given", { ...base, text: { body: "x" } }, { text: { body: "x" } }],
  ["type in upper case", text({ type: "TEXT" }), { text: { body: "hello" } }],
  ["unknown fields are tolerated", text({ category: "utility", text: { body: "x", y: 1 } }), { text: { body: "x" } }],
  [
    "4096 characters beyond the basic plane",
    text({ text: { body: "😀".repeat(4096) } }),
    { text: { body: "😀".repeat(4096) } },
  ],
  ["a quote", text({ context: { message_id: "wamid.A" } }), { text: { body: "hello" }, contextMessageId: "wamid.A" }],
  ["a template without components", template(), { template: { name: "order_update", language: "en_US" } }],
  [
    "null stands for absent",
    { ...template({ components: null }), context: null, biz_opaque_callback_data: null },
    { template: { name: "order_update", language: "en_US" } },
  ],
  [
    "positional and named parameters",
    components({
      type: "BODY",
      parameters: [
        { type: "text", text: "Ana" },
        { type: "TEXT", parameter_name: "day", text: "Monday" },
        { type: "currency", currency: { fallback_value: "$10", code: "USD", amount_1000: 10000 } },
      ],
    }),
    {
      template: {
        name: "order_update",
        language: "en_US",
        components: [
          {
            type: "body",
            parameters: [
              { type: "text", value: "Ana" },
              { type: "text", parameterName: "day", value: "Monday" },
              { type: "currency", value: { fallback_value: "$10", code: "USD", amount_1000: 10000 } },
            ],
          },
        ],
      },
    },
  ],
  [
    "a button, its index as text",
    components({ type: "button", sub_type: "URL", index: "1", parameters: [{ type: "text", text: "a1" }] }),
    {
      template: {
        name: "order_update",
        language: "en_US",
        components: [{ type: "button", subType: "url", index: 1, parameters: [{ type: "text", value: "a1" }] }],
      },
    },
  ],
  [
    "a carousel",
    components({ type: "carousel", cards: [{ card_index: 0, components: [{ type: "body", parameters: [] }] }] }),
    {
      template: {
        name: "order_update",
        language: "en_US",
        components: [{ type: "carousel", cards: [{ components: [{ type: "body" }] }] }],
      },
    },
  ],
];
for (const [sentence, body, content] of accepted) {
  test(`accepted: ${sentence}`, () => assert.deepEqual(contentOf(body), content));
}

test("recipient and callback data are read", () => {
  const parsed = parseSend(text({ to: "+1 (555) 000-1111", biz_opaque_callback_data: "order-42" }));
  assert.ok(parsed.kind === "message");
  assert.equal(parsed.to, "15550001111");
  assert.equal(parsed.toInput, "+1 (555) 000-1111");
  assert.equal(parsed.callbackData, "order-42");
});

const refused: [sentence: string, body: unknown, reason: CloudReason, details: string][] = [
  ["no object", [], "bad_json", "body must be a JSON object"],
  ["no messaging_product", { to: "1" }, "content_missing", "messaging_product is missing"],
  ["another product", text({ messaging_product: "sms" }), "content_invalid", 'messaging_product must be "whatsapp"'],
  ["no recipient", { ...text(), to: undefined }, "content_missing", "to is missing"],
  [
    "a recipient that is no number",
    text({ to: "Ana" }),
    "recipient_invalid",
    "to must be a phone number with country code",
  ],
  [
    "a user id alone",
    { ...text(), to: undefined, recipient: "US.1" },
    "user_id_unsupported",
    "recipient is not supported yet; name the user by phone number in to",
  ],
  [
    "a group",
    text({ recipient_type: "group" }),
    "content_invalid",
    'recipient_type must be "individual"; groups are not supported yet',
  ],
  ["an image", { ...base, type: "image" }, "type_unsupported", "type is not supported; today text and template are"],
  ["no text object", { ...base, type: "text" }, "content_missing", "text is missing"],
  ["no text body", text({ text: {} }), "content_missing", "text.body is missing"],
  ["an empty text", text({ text: { body: "" } }), "content_missing", "text.body must not be empty"],
  ["a text that is a number", text({ text: { body: 7 } }), "content_invalid", "text.body must be a string"],
  ["a text with NUL", text({ text: { body: "a\0" } }), "content_invalid", "text.body must not contain NUL"],
  [
    "a text with half a surrogate pair",
    text({ text: { body: "a\ud83d" } }),
    "content_invalid",
    "text.body must be valid Unicode, without half a surrogate pair",
  ],
  [
    "a text of 4097 characters",
    text({ text: { body: "é".repeat(4097) } }),
    "text_too_long",
    "text.body must have at most 4096 characters",
  ],
  [
    "callback data of 513 characters",
    text({ biz_opaque_callback_data: "x".repeat(513) }),
    "text_too_long",
    "biz_opaque_callback_data must have at most 512 characters",
  ],
  ["a context without id", text({ context: {} }), "content_missing", "context.message_id is missing"],
  ["no template name", template({ name: undefined }), "content_missing", "template.name is missing"],
  ["no language", template({ language: undefined }), "content_missing", "template.language is missing"],
  [
    "components that are no array",
    template({ components: {} }),
    "content_invalid",
    "template.components must be an array",
  ],
  [
    "a parameter without its value",
    components({ type: "body", parameters: [{ type: "text" }] }),
    "content_missing",
    "template.components[0].parameters[0].text is missing",
  ],
  [
    "a parameter without type",
    components({ type: "body", parameters: [{ text: "x" }] }),
    "content_missing",
    "template.components[0].parameters[0].type is missing",
  ],
  [
    "an index that is no integer",
    components({ type: "button", sub_type: "url", index: "first" }),
    "content_invalid",
    "template.components[0].index must be an integer from 0, as number or string",
  ],
  ["a read without id", { messaging_product: "whatsapp", status: "read" }, "content_missing", "message_id is missing"],
  [
    "another status",
    { messaging_product: "whatsapp", status: "typing", message_id: "wamid.A" },
    "content_invalid",
    'status must be "read"',
  ],
];
for (const [sentence, body, reason, details] of refused) {
  test(`refused: ${sentence}`, () => {
    const parsed = parseSend(body);
    assert.ok(parsed.kind === "refusal", JSON.stringify(parsed));
    assert.deepEqual([parsed.reason, parsed.details], [reason, details]);
  });
}

test("mark as read, with and without the typing indicator", () => {
  const read = { messaging_product: "whatsapp", status: "read", message_id: "wamid.A" };
  assert.deepEqual(parseSend(read), { kind: "read", wamid: "wamid.A", typing: false });
  const typing = { ...read, typing_indicator: { type: "text" } };
  assert.deepEqual(parseSend(typing), { kind: "read", wamid: "wamid.A", typing: true });
});

test("what a client sent goes on to WhatsApp in the same form", () => {
  const body = {
    messaging_product: "whatsapp",
    recipient_type: "individual",
    to: "+15550001111",
    type: "template",
    template: {
      name: "order_update",
      language: { code: "en_US" },
      components: [
        { type: "body", parameters: [{ type: "text", parameter_name: "day", text: "Monday" }] },
        { type: "button", sub_type: "quick_reply", index: "0", parameters: [{ type: "payload", payload: "yes" }] },
        { type: "carousel", cards: [{ card_index: 0, components: [{ type: "body" }] }] },
      ],
    },
    context: { message_id: "wamid.A" },
    biz_opaque_callback_data: "data",
  };
  const parsed = parseSend(body);
  assert.ok(parsed.kind === "message");
  const { to: recipient, content } = parsed;
  assert.deepEqual(toGraphMessage({ recipient, content, contextWamid: "wamid.A", callbackData: "data" }), body);
});

test("a text goes on without what it has not", () => {
  const parsed = parseSend(text());
  assert.ok(parsed.kind === "message");
  assert.deepEqual(
    toGraphMessage({ recipient: parsed.to, content: parsed.content, contextWamid: "", callbackData: "" }),
    {
      messaging_product: "whatsapp",
      recipient_type: "individual",
      to: "+15550001111",
      type: "text",
      text: { body: "hello", preview_url: false },
    },
  );
});
