// Proto to checked input, values to proto.
import { fromBinary, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate, ValueSchema } from "@bufbuild/protobuf/wkt";
import { z } from "zod";
import { ServiceError } from "#lib/errors.ts";
import type { UpstreamTemplate } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import type { TemplateComponent } from "#proto/heliograph/messages/v1/content_pb.ts";
import { AccountEventSchema, NumberEventSchema } from "#proto/heliograph/messages/v1/events_pb.ts";
import type {
  CheckTemplateMessageRequest,
  CheckTemplateMessageResponseSchema,
  RenderTemplateMessageRequest,
  TemplateSchema,
} from "#proto/heliograph/templates/v1/templates_pb.ts";
import { readShape, type TemplateShape } from "./domain/components.ts";
import type { Refusal } from "./domain/refusal.ts";
import { type ReviewNews, statusAfter } from "./domain/state.ts";
import type { Listed } from "./domain/sync.ts";
import type { Component } from "./domain/texts.ts";
import type { AccountTemplateKey, StoredTemplate } from "./store.ts";

/** Throws INVALID_ARGUMENT if a value is empty. */
export function parseFilled<T extends Record<string, string>>(values: T): T {
  for (const [name, value] of Object.entries(values)) {
    if (value === "") throw new ServiceError("INVALID_ARGUMENT", "request_incomplete", `${name} is missing`);
  }
  return values;
}

export type TemplateSend = { key: AccountTemplateKey; components: Component[] };

/** Throws INVALID_ARGUMENT without account, name or language. */
export function parseSend({
  wabaId,
  message,
}: Pick<CheckTemplateMessageRequest | RenderTemplateMessageRequest, "wabaId" | "message">): TemplateSend {
  const { name = "", language = "", components = [] } = message ?? {};
  return { key: parseFilled({ wabaId, name, language }), components: components.map(toComponent) };
}

function toComponent({ type, subType, index, parameters, cards }: TemplateComponent): Component {
  return {
    type,
    subType,
    index,
    parameters: parameters.map((parameter) => ({
      type: parameter.type,
      name: parameter.parameterName,
      value: parameter.value === undefined ? undefined : toJson(ValueSchema, parameter.value),
    })),
    cards: cards.map((card) => ({ index: card.cardIndex, components: card.components.map(toComponent) })),
  };
}

/** A text that is no JSON asks for nothing: WhatsApp judges the message again. */
export function toShape({ parameterFormat, componentsJson }: StoredTemplate): TemplateShape {
  return readShape(parameterFormat, parseJson(componentsJson));
}

/** Undefined if it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function toTemplate(template: StoredTemplate): MessageInitShape<typeof TemplateSchema> {
  const { componentsJson, messageSendTtlSeconds, syncedAt, statusAt, edits: _edits, ...rest } = template;
  return {
    ...rest,
    componentsJson: new TextEncoder().encode(componentsJson),
    statusAt: timestampFromDate(statusAt),
    ...(messageSendTtlSeconds !== undefined && { messageSendTtlSeconds }),
    ...(syncedAt !== undefined && { syncedAt: timestampFromDate(syncedAt) }),
  };
}

type CheckResponse = MessageInitShape<typeof CheckTemplateMessageResponseSchema>;

export function toCheckResponse(category: string, refusal: Refusal | undefined): CheckResponse {
  if (refusal === undefined) return { verdict: { case: "sendable", value: { category } } };
  return { verdict: { case: "refusal", value: { reason: refusal.refused, details: refusal.details } } };
}

/** Undefined for an entry that cannot be stored: one bad template must not keep the others of its account away. */
export function parseListed(template: UpstreamTemplate): Listed | undefined {
  const componentsJson = new TextDecoder().decode(template.componentsJson);
  const listed = {
    name: template.name,
    language: toLanguage(template.language),
    templateId: template.templateId,
    category: template.category,
    status: template.status,
    quality: template.quality,
    parameterFormat: template.parameterFormat,
    componentsJson,
    rejectedReason: template.rejectedReason,
  };
  // Postgres takes every text but one with a null character.
  const isStorable = Object.values(listed).every((value) => !value.includes("\0"));
  const isNamed = listed.name !== "" && listed.language !== "";
  if (!isNamed || !isStorable || !Array.isArray(parseJson(componentsJson))) return undefined;
  return { ...listed, messageSendTtlSeconds: template.messageSendTtlSeconds };
}

/** Meta writes en_US in lists and sends, and en-US in some webhooks. */
export function toLanguage(code: string): string {
  return code.replaceAll("-", "_");
}

/** What an event of an account or a number means for templates. */
export type News =
  | { kind: "review"; key: AccountTemplateKey; news: readonly ReviewNews[]; needsSync: boolean }
  | { kind: "sync"; wabaId: string }
  | { kind: "connected"; wabaId: string };

// The template's id is left aside: it may be a number beyond what JSON.parse keeps, and name and language say the same.
const templateNews = z.object({
  message_template_name: z.string().min(1),
  message_template_language: z.string().min(1),
  event: z.string().min(1).optional(),
  reason: z.string().nullish().catch(undefined),
  new_quality_score: z.string().min(1).optional(),
  new_category: z.string().min(1).optional(),
});

// A status event does not say with which text; a category notice names the present category as the new one.
const fields = new Set([
  "message_template_status_update",
  "message_template_quality_update",
  "template_category_update",
  "message_template_components_update",
]);

/** Undefined for news that do not concern templates. Throws on bytes that are no such event. */
export function parseNews(subject: string, data: Uint8Array): News | undefined {
  if (subject.startsWith("wa.number.")) {
    const { verb, wabaId } = fromBinary(NumberEventSchema, data);
    return verb === "connected" && wabaId !== "" ? { kind: "connected", wabaId } : undefined;
  }
  const event = fromBinary(AccountEventSchema, data);
  if (!fields.has(event.field)) return undefined;
  const value = templateNews.parse(JSON.parse(new TextDecoder().decode(event.valueJson)));
  const name = value.message_template_name;
  const language = toLanguage(value.message_template_language);
  const changes = changesIn(value);
  const at = event.at && timestampDate(event.at);
  if (changes.length === 0 || at === undefined) return { kind: "sync", wabaId: event.wabaId };
  return {
    kind: "review",
    key: { wabaId: event.wabaId, name, language },
    news: changes.map((change) => ({ ...change, at })),
    needsSync: changes.some(({ field }) => field === "status"),
  };
}

/** Told apart by their keys: a sample of Meta's shows quality news under the field of status news. */
function changesIn(value: z.infer<typeof templateNews>): Omit<ReviewNews, "at">[] {
  if (value.new_quality_score !== undefined) return [{ field: "quality", value: value.new_quality_score }];
  if (value.new_category !== undefined) return [{ field: "category", value: value.new_category }];
  if (value.event === undefined) return [];
  const rejectedReason = value.event === "REJECTED" ? (value.reason ?? "") : "NONE";
  return [
    { field: "status", value: statusAfter(value.event) },
    { field: "rejectedReason", value: rejectedReason },
  ];
}
