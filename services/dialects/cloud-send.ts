// The body of POST /{phone-number-id}/messages: as a client sends it to us, and as we send it to WhatsApp.
// Unknown fields are tolerated, as Meta does.
// Details of a refusal name the place and the expectation, never the value.
import { create, type JsonObject } from "@bufbuild/protobuf";
import { z } from "zod";
import { type Content, ContentSchema, TextSchema } from "#proto/heliograph/messages/v1/content_pb.ts";
import type { CloudReason } from "./cloud-errors.ts";
import { atMost, filled, string } from "./cloud-fields.ts";
import { templateSchema, toGraphTemplate, toTemplateMessage } from "./cloud-template.ts";
import { parseRecipient } from "./phone.ts";

export type SendRefusal = {
  kind: "refusal";
  reason: CloudReason;
  details: string;
  /** Where in the body, such as template.components[0].type. */
  parameter: string;
};

export type ParsedSend =
  | {
      kind: "message";
      /** Digits with country code. */
      to: string;
      /** As the client wrote it. */
      toInput: string;
      content: Content;
      /** The client's biz_opaque_callback_data, or empty. */
      callbackData: string;
    }
  | { kind: "read"; wamid: string; typing: boolean }
  | SendRefusal;

const product = z.literal("whatsapp", 'must be "whatsapp"');

const envelope = z.object({
  messaging_product: product,
  recipient_type: z.literal("individual", 'must be "individual"; groups are not supported yet').optional(),
  to: z.union([filled, z.int().positive().transform(String)], "must be a phone number").optional(),
  recipient: z.unknown().optional(),
  type: string.default("text"),
  context: z.object({ message_id: filled.check(atMost(256)) }, "must be an object").nullish(),
  biz_opaque_callback_data: string.check(atMost(512)).nullish(),
});

const textBody = z.object({
  text: z.object(
    {
      body: filled.check(atMost(4096)),
      preview_url: z.union([z.boolean(), z.stringbool()], "must be true or false").default(false),
    },
    "must be an object",
  ),
});

const templateBody = z.object({ template: templateSchema });

const readBody = z.object({
  messaging_product: product,
  status: z.literal("read", 'must be "read"'),
  message_id: filled.check(atMost(256)),
  typing_indicator: z.object({ type: z.literal("text", 'must be "text"') }, "must be an object").nullish(),
});

/** Reads a parsed JSON body of the messages endpoint: a message to send, a mark as read, or why it is neither. */
export function parseSend(body: unknown): ParsedSend {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return refuse("bad_json", "", "body must be a JSON object");
  }
  return "status" in body ? parseRead(body) : parseMessage(body);
}

function parseRead(body: object): ParsedSend {
  const result = readBody.safeParse(body);
  if (!result.success) return toRefusal(result.error, body);
  const { message_id, typing_indicator } = result.data;
  return { kind: "read", wamid: message_id, typing: Boolean(typing_indicator) };
}

function parseMessage(body: object): ParsedSend {
  const result = envelope.safeParse(body);
  if (!result.success) return toRefusal(result.error, body);
  const { to: toInput, recipient, type, context, biz_opaque_callback_data } = result.data;
  if (toInput === undefined) {
    return recipient === undefined
      ? refuse("content_missing", "to", "to is missing")
      : refuse(
          "user_id_unsupported",
          "recipient",
          "recipient is not supported yet; name the user by phone number in to",
        );
  }
  const parsed = parseKind(type.toLowerCase(), body);
  if ("refusal" in parsed) return parsed.refusal;
  const to = parseRecipient(toInput);
  if (to === undefined) return refuse("recipient_invalid", "to", "to must be a phone number with country code");
  const content = create(ContentSchema, { kind: parsed.kind, contextMessageId: context?.message_id ?? "" });
  return { kind: "message", to, toInput, content, callbackData: biz_opaque_callback_data ?? "" };
}

type ParsedKind = { kind: Content["kind"] } | { refusal: SendRefusal };

function parseKind(type: string, body: object): ParsedKind {
  switch (type) {
    case "text": {
      const result = textBody.safeParse(body);
      if (!result.success) return { refusal: toRefusal(result.error, body) };
      const { body: text, preview_url } = result.data.text;
      return { kind: { case: "text", value: create(TextSchema, { body: text, previewUrl: preview_url }) } };
    }
    case "template": {
      const result = templateBody.safeParse(body);
      if (!result.success) return { refusal: toRefusal(result.error, body) };
      return { kind: { case: "template", value: toTemplateMessage(result.data.template) } };
    }
    default:
      return { refusal: refuse("type_unsupported", "type", "type is not supported; today text and template are") };
  }
}

function refuse(reason: CloudReason, parameter: string, details: string): SendRefusal {
  return { kind: "refusal", reason, parameter, details };
}

function toRefusal(error: z.ZodError, body: object): SendRefusal {
  const [issue] = error.issues;
  if (issue === undefined) return refuse("content_invalid", "", "body is not valid");
  const parameter = pathText(issue.path);
  const found = valueAt(body, issue.path);
  if (found === undefined || found === null) return refuse("content_missing", parameter, `${parameter} is missing`);
  const reason =
    issue.code === "too_big" ? "text_too_long" : issue.code === "too_small" ? "content_missing" : "content_invalid";
  return refuse(reason, parameter, `${parameter} ${issue.message}`);
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((key, at) => (typeof key === "number" ? `[${key}]` : `${at === 0 ? "" : "."}${String(key)}`))
    .join("");
}

function valueAt(body: object, path: readonly PropertyKey[]): unknown {
  let value: unknown = body;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

type GraphMessage = {
  /** Digits with country code. */
  recipient: string;
  content: Content;
  /** WhatsApp's id of the quoted message; empty for no quote. */
  contextWamid: string;
  /** Ours: see callback-data.ts. */
  callbackData: string;
};

/** The body that asks WhatsApp to send. Throws if the content has no kind: the ledger holds no such message. */
export function toGraphMessage({ recipient, content, contextWamid, callbackData }: GraphMessage): JsonObject {
  return {
    messaging_product: "whatsapp",
    recipient_type: "individual",
    to: `+${recipient}`,
    ...toGraphKind(content.kind),
    ...(contextWamid !== "" && { context: { message_id: contextWamid } }),
    ...(callbackData !== "" && { biz_opaque_callback_data: callbackData }),
  };
}

function toGraphKind(kind: Content["kind"]): JsonObject {
  switch (kind.case) {
    case "text":
      return { type: "text", text: { body: kind.value.body, preview_url: kind.value.previewUrl } };
    case "template":
      return { type: "template", template: toGraphTemplate(kind.value) };
    case undefined:
      throw new TypeError("content has no kind");
  }
}
