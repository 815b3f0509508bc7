// A webhook's news → checked values. Nothing in it may hold up the rest: an entry that cannot be used is kept as unparsed.
import { type DescMessage, type MessageShape, toJsonString } from "@bufbuild/protobuf";
import { fromCallbackData } from "#dialects/callback-data.ts";
import {
  type AccountUpdate,
  AccountUpdateSchema,
  type InboundMessage as WireInbound,
  InboundMessageSchema,
  type IngestRequest,
  type StatusUpdate,
  StatusUpdateSchema,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { AccountNews, IngestItem, StatusReport, Unparsed } from "./domain/batch.ts";
import type { InboundMessage } from "./domain/inbound.ts";
import { isMetaId } from "./domain/number.ts";
import { parseError, parseTime, withoutNul } from "./wire.ts";

/** Which messages of ours are meant by WhatsApp's ids is not known yet: `messageId` and `contextMessageId` say what is. */
export function parseIngest(request: IngestRequest, now: Date): IngestItem {
  const unparsed = request.unparsed.map(({ body, error }) => ({ body, error: withoutNul(error) }));
  return {
    kind: "ingest",
    reports: usable(StatusUpdateSchema, request.statuses, unparsed, (update) => parseStatus(update, now)),
    inbound: usable(InboundMessageSchema, request.inbound, unparsed, (inbound) => parseInbound(inbound, now)),
    accountNews: usable(AccountUpdateSchema, request.accountUpdates, unparsed, (update) =>
      parseAccountUpdate(update, now),
    ),
    unparsed,
  };
}

function usable<Desc extends DescMessage, Value>(
  desc: Desc,
  entries: readonly MessageShape<Desc>[],
  unparsed: Unparsed[],
  parse: (entry: MessageShape<Desc>) => Value | undefined,
): Value[] {
  return entries.flatMap((entry) => {
    const value = parse(entry);
    if (value !== undefined) return value;
    unparsed.push({ body: Buffer.from(toJsonString(desc, entry)), error: `${desc.name} has no usable ids` });
    return [];
  });
}

function parseStatus(update: StatusUpdate, now: Date): StatusReport | undefined {
  const { phoneNumberId, wabaId, wamid, status, pricing, conversation } = update;
  if (!isMetaId(phoneNumberId) || !isToken(wamid) || !isToken(status)) return undefined;
  const own = fromCallbackData(update.callbackData);
  return {
    messageId: own?.messageId,
    attempt: own?.attempt,
    phoneNumberId,
    wabaId,
    wamid,
    status,
    at: parseTime(update.at, now),
    recipient: update.recipient,
    callbackData: update.callbackData,
    pricing: pricing && {
      billable: pricing.billable,
      pricingModel: withoutNul(pricing.pricingModel),
      type: withoutNul(pricing.type),
      category: withoutNul(pricing.category),
    },
    conversation: conversation && {
      id: conversation.id,
      originType: conversation.originType,
      expirationSeconds: conversation.expirationSeconds,
    },
    errors: update.errors.map(parseError),
  };
}

function parseInbound(inbound: WireInbound, now: Date): InboundMessage | undefined {
  const { phoneNumberId, wabaId, wamid, from } = inbound;
  if (!isMetaId(phoneNumberId) || !isToken(wamid) || from === "") return undefined;
  return {
    phoneNumberId,
    wabaId,
    wamid,
    from: withoutNul(from),
    profileName: withoutNul(inbound.profileName),
    at: parseTime(inbound.at, now),
    type: withoutNul(inbound.type),
    messageJson: inbound.messageJson,
    contextMessageId: undefined,
  };
}

/** Ids of news are made of it, and travel in a NATS header. */
function isToken(text: string): boolean {
  return /^[\x21-\x7e]{1,512}$/.test(text);
}

/** The field is part of the news' subject. */
function parseAccountUpdate({ wabaId, field, valueJson, at }: AccountUpdate, now: Date): AccountNews | undefined {
  if (!isMetaId(wabaId) || !/^[A-Za-z0-9_-]{1,64}$/.test(field)) return undefined;
  return { wabaId, field, valueJson, at: parseTime(at, now) };
}
