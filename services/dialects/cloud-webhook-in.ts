// Meta's webhook body → what the ledger takes. Each entry, change, message and status stands alone: what cannot be read goes to
// `unparsed` with its own JSON and blocks nothing else.
import { Buffer } from "node:buffer";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { z } from "zod";
import {
  AccountUpdateSchema,
  InboundMessageSchema,
  type IngestRequest,
  IngestRequestSchema,
  StatusUpdateSchema,
  UnparsedUpdateSchema,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import {
  changeSchema,
  type Contact,
  entrySchema,
  envelopeSchema,
  type InboundJson,
  messageSchema,
  messagesValueSchema,
  type StatusJson,
  statusSchema,
} from "./cloud-webhook-schema.ts";
import { parseVerbatimBytes } from "./verbatim-json.ts";

type Place = { wabaId: string; phoneNumberId: string };

/** Reads one webhook body. Never throws. `receivedAt` dates account news that carries no time of its own. */
export function parseWebhook(body: Uint8Array, receivedAt: Date): IngestRequest {
  const news = create(IngestRequestSchema);
  const json = parseOrUndefined(body);
  const envelope = envelopeSchema.safeParse(json);
  if (envelope.success) {
    for (const entry of envelope.data.entry) readEntry(news, entry, receivedAt);
  } else {
    const error = json === undefined ? "body is not JSON" : faultText(envelope.error);
    news.unparsed.push(create(UnparsedUpdateSchema, { body, error }));
  }
  return news;
}

function parseOrUndefined(body: Uint8Array): unknown {
  try {
    return parseVerbatimBytes(body);
  } catch {
    return undefined;
  }
}

function readEntry(news: IngestRequest, json: unknown, receivedAt: Date): void {
  const entry = entrySchema.safeParse(json);
  if (!entry.success) return keepUnparsed(news, "entry", entry.error, json);
  const { id: wabaId, time, changes } = entry.data;
  const at = time === undefined ? timestampFromDate(receivedAt) : toTimestamp(time);
  for (const change of changes) readChange(news, wabaId, at, change);
}

function readChange(news: IngestRequest, wabaId: string, at: Timestamp, json: unknown): void {
  const change = changeSchema.safeParse(json);
  if (!change.success) return keepUnparsed(news, "change", change.error, { id: wabaId, changes: [json] });
  const { field, value } = change.data;
  if (field !== "messages") return keepAccountUpdate(news, { wabaId, field, at }, value);
  const parsed = messagesValueSchema.safeParse(value);
  if (!parsed.success) return keepUnparsed(news, "value", parsed.error, { id: wabaId, changes: [json] });
  const { metadata, contacts = [], messages = [], statuses = [] } = parsed.data;
  const place = { wabaId, phoneNumberId: metadata.phone_number_id };
  for (const message of messages) readInbound(news, place, contacts, message);
  for (const status of statuses) readStatus(news, place, status);
  const rest = withoutMessages(value);
  if (rest !== undefined) keepAccountUpdate(news, { wabaId, field, at }, rest);
}

// What a value of the field messages holds besides messages and statuses: errors of the number, kinds that Meta invents later.
const known = new Set(["messaging_product", "metadata", "contacts", "messages", "statuses"]);

function withoutMessages(value: unknown): object | undefined {
  const fields = Object.entries(Object(value));
  if (fields.every(([key]) => known.has(key))) return undefined;
  return Object.fromEntries(fields.filter(([key]) => key !== "messages" && key !== "statuses"));
}

function keepAccountUpdate(
  news: IngestRequest,
  init: MessageInitShape<typeof AccountUpdateSchema>,
  value: unknown,
): void {
  news.accountUpdates.push(create(AccountUpdateSchema, { ...init, valueJson: toBytes(value ?? null) }));
}

function readInbound(news: IngestRequest, place: Place, contacts: readonly Contact[], json: unknown): void {
  const parsed = messageSchema.safeParse(json);
  if (!parsed.success) return keepUnparsed(news, "message", parsed.error, { ...place, message: json });
  const message = parsed.data;
  const contact = contactOf(message, contacts);
  const from = message.from ?? message.from_user_id ?? contact?.wa_id ?? contact?.user_id;
  if (from === undefined) return keepUnparsed(news, "message", "has no sender", { ...place, message: json });
  news.inbound.push(
    create(InboundMessageSchema, {
      ...place,
      wamid: message.id,
      from,
      profileName: contact?.profile?.name ?? "",
      at: toTimestamp(message.timestamp),
      type: message.type,
      messageJson: toBytes(json),
      contextWamid: message.context?.id ?? "",
    }),
  );
}

function contactOf({ from, from_user_id }: InboundJson, contacts: readonly Contact[]): Contact | undefined {
  const own = contacts.find(
    ({ wa_id, user_id }) =>
      (from !== undefined && wa_id === from) || (from_user_id !== undefined && user_id === from_user_id),
  );
  return own ?? (contacts.length === 1 ? contacts[0] : undefined);
}

function readStatus(news: IngestRequest, place: Place, json: unknown): void {
  const parsed = statusSchema.safeParse(json);
  if (!parsed.success) return keepUnparsed(news, "status", parsed.error, { ...place, status: json });
  const status = parsed.data;
  news.statuses.push(
    create(StatusUpdateSchema, {
      ...place,
      wamid: status.id,
      status: status.status,
      at: toTimestamp(status.timestamp),
      recipient: status.recipient_id ?? status.recipient_user_id ?? "",
      callbackData: status.biz_opaque_callback_data ?? "",
      ...toPrice(status),
      errors: toErrors(status),
    }),
  );
}

function toPrice({ pricing, conversation }: StatusJson) {
  return {
    ...(pricing !== undefined && {
      pricing: {
        billable: pricing.billable ?? false,
        pricingModel: pricing.pricing_model ?? "",
        type: pricing.type ?? "",
        category: pricing.category ?? "",
      },
    }),
    ...(conversation !== undefined && {
      conversation: {
        id: conversation.id ?? "",
        originType: conversation.origin?.type ?? "",
        expirationSeconds: BigInt(conversation.expiration_timestamp ?? 0),
      },
    }),
  };
}

function toErrors({ errors = [] }: StatusJson) {
  return errors.flatMap((error) =>
    error === null
      ? []
      : {
          code: error.code,
          title: error.title ?? "",
          message: error.message ?? "",
          details: error.error_data?.details ?? "",
          href: error.href ?? "",
        },
  );
}

function keepUnparsed(news: IngestRequest, what: string, fault: z.ZodError | string, json: unknown): void {
  const error = `${what} ${typeof fault === "string" ? fault : faultText(fault)}`;
  news.unparsed.push(create(UnparsedUpdateSchema, { body: toBytes(json ?? null), error }));
}

/** The place and zod's words for it, which name types and never values. */
function faultText(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return "is not valid";
  return issue.path.length === 0 ? issue.message : `${issue.path.map(String).join(".")}: ${issue.message}`;
}

function toTimestamp(seconds: number): Timestamp {
  return timestampFromMs(seconds * 1000);
}

function toBytes(json: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(json));
}
