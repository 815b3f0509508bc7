// Proto to checked input, values to proto.
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { z } from "zod";
import { ServiceError } from "#lib/errors.ts";
import type { GetPhoneNumberResponse } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import { AccountEventSchema, MessageEventSchema, NumberEventSchema } from "#proto/heliograph/messages/v1/events_pb.ts";
import type {
  NumberQualitySchema,
  PreviewReserveRequest,
  PreviewReserveResponseSchema,
  ReserveRequest,
  ReserveResultSchema,
} from "#proto/heliograph/quality/v1/quality_pb.ts";
import type { MessageNews, MessageVerb, ReserveItem, Verdict } from "./domain/limit.ts";
import type { NumberIds } from "./domain/number.ts";
import { limitOfTier, tierOfReport } from "./domain/tiers.ts";
import type { Preview } from "./preview.ts";
import type { Facts, NumberView } from "./store.ts";

/** Throws INVALID_ARGUMENT if it is empty. */
export function parsePhoneNumberId(phoneNumberId: string): string {
  if (phoneNumberId !== "") return phoneNumberId;
  throw new ServiceError("INVALID_ARGUMENT", "request_incomplete", "phone_number_id is missing");
}

const messageId = z.uuid();

/** Throws INVALID_ARGUMENT. */
export function parseReserve({ phoneNumberId, items }: ReserveRequest | PreviewReserveRequest): {
  phoneNumberId: string;
  items: ReserveItem[];
} {
  return {
    phoneNumberId: parsePhoneNumberId(phoneNumberId),
    items: items.map((item, index) => {
      if (item.user === "" || !messageId.safeParse(item.messageId).success) {
        throw new ServiceError(
          "INVALID_ARGUMENT",
          "item_invalid",
          `item ${index} lacks a user or a message id that is a UUID`,
        );
      }
      return { messageId: item.messageId.toLowerCase(), userId: item.user };
    }),
  };
}

type ReserveResult = MessageInitShape<typeof ReserveResultSchema>;

export function toReserveResult(messageId: string, verdict: Verdict): ReserveResult {
  if (verdict.kind !== "refused") return { messageId, verdict: { case: "reserved", value: {} } };
  const { reason, earliestAt } = verdict;
  const value = { reason, ...(earliestAt !== undefined && { earliestAt: timestampFromDate(earliestAt) }) };
  return { messageId, verdict: { case: "refusal", value } };
}

export function toPreview(
  items: readonly ReserveItem[],
  { verdicts, limit, used, usedAfter }: Preview,
): MessageInitShape<typeof PreviewReserveResponseSchema> {
  return {
    results: verdicts.map((verdict, index) => toReserveResult(items[index]?.messageId ?? "", verdict)),
    ...(limit.kind === "users" && { messagingLimit: BigInt(limit.users) }),
    used: BigInt(used),
    usedAfter: BigInt(usedAfter),
  };
}

export function toNumberQuality(view: NumberView): MessageInitShape<typeof NumberQualitySchema> {
  const { tier, used, observedAt, wabaId = "", ...rest } = view;
  const limit = limitOfTier(tier);
  return {
    ...rest,
    wabaId,
    messagingLimitTier: tier,
    ...(limit.kind === "users" && { messagingLimit: BigInt(limit.users) }),
    used: BigInt(used),
    ...(observedAt !== undefined && { observedAt: timestampFromDate(observedAt) }),
  };
}

/** What WhatsApp reported of a number. */
export type Report = { ids: NumberIds; facts: Facts; tier: string | undefined; observedAt: Date };

export function parseReport(phoneNumberId: string, response: GetPhoneNumberResponse, askedAt: Date): Report {
  const { wabaId, businessId, qualityRating, status, throughputLevel, nameStatus, verifiedName } = response;
  return {
    ids: { phoneNumberId, wabaId: wabaId || undefined, businessId: businessId || undefined },
    facts: { qualityRating, status, throughputLevel, nameStatus, verifiedName },
    tier: tierOfReport(response.messagingLimitTier),
    observedAt: response.observedAt === undefined ? askedAt : timestampDate(response.observedAt),
  };
}

/** What an event of a message, a number or an account means for quality. */
export type News =
  | { kind: "message"; news: MessageNews }
  | ({ kind: "connected" } & NumberIds)
  | { kind: "removed"; phoneNumberId: string }
  | { kind: "account"; wabaId: string; tier: string | undefined; at: Date };

/** Undefined for news that do not concern quality. Throws on bytes that are no such event. */
export function parseNews(subject: string, data: Uint8Array): News | undefined {
  if (subject.startsWith("wa.message.")) return parseMessageNews(data);
  if (subject.startsWith("wa.number.")) return parseNumberNews(data);
  return parseAccountNews(data);
}

const verbs = {
  sent: "sent",
  unknown: "unknown",
  delivered: "delivered",
  read: "read",
  failed: "failed",
  expired: "expired",
  cancelled: "cancelled",
} satisfies Record<MessageVerb, MessageVerb>;

const verb = z.enum(verbs);

function parseMessageNews(data: Uint8Array): News | undefined {
  const event = fromBinary(MessageEventSchema, data);
  const known = verb.safeParse(event.verb);
  // Only a template starts a conversation and may hold a reservation: of all other messages nothing need be looked up.
  if (!known.success || event.at === undefined || event.templateName === "") return undefined;
  const id = messageId.parse(event.messageId).toLowerCase();
  return { kind: "message", news: { verb: known.data, messageId: id, at: timestampDate(event.at) } };
}

function parseNumberNews(data: Uint8Array): News | undefined {
  const { verb: happened, phoneNumberId, wabaId } = fromBinary(NumberEventSchema, data);
  if (phoneNumberId === "") return undefined;
  if (happened === "removed") return { kind: "removed", phoneNumberId };
  if (happened !== "connected") return undefined;
  return { kind: "connected", phoneNumberId, wabaId: wabaId || undefined, businessId: undefined };
}

// The limit stands under the first key now, and under the others in older webhooks.
const limitNews = z.object({
  max_daily_conversations_per_business: z.union([z.string(), z.number()]).nullish(),
  max_daily_conversation_per_phone: z.union([z.string(), z.number()]).nullish(),
  current_limit: z.string().nullish(),
});

// All of them are followed by a reading; the first two may name the limit itself.
const fields = new Set([
  "phone_number_quality_update",
  "business_capability_update",
  "account_update",
  "phone_number_name_update",
]);

function parseAccountNews(data: Uint8Array): News | undefined {
  const event = fromBinary(AccountEventSchema, data);
  if (!fields.has(event.field) || event.wabaId === "" || event.at === undefined) return undefined;
  const value = limitNews.parse(JSON.parse(new TextDecoder().decode(event.valueJson)));
  const reported =
    value.max_daily_conversations_per_business ??
    value.max_daily_conversation_per_phone ??
    value.current_limit ??
    undefined;
  return {
    kind: "account",
    wabaId: event.wabaId,
    tier: reported === undefined ? undefined : tierOfReport(reported),
    at: timestampDate(event.at),
  };
}
