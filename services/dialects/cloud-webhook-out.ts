// Events → the bodies that the customer's webhook receives, in Meta's shape: one change each, numbers as Meta spells them.
// Turn them into bytes with JSON.stringify, which keeps the big numbers of Meta's own JSON.
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Conversation, MessageError, Pricing } from "#proto/heliograph/messages/v1/content_pb.ts";
import type {
  AccountEvent,
  ForeignStatusEvent,
  InboundEvent,
  MessageEvent,
} from "#proto/heliograph/messages/v1/events_pb.ts";
import { messageError } from "./cloud-errors.ts";
import { toWamid } from "./message-id.ts";
import { parseVerbatimBytes } from "./verbatim-json.ts";

type CloudWebhookEntry = { id: string; time?: number; changes: [{ field: string; value: unknown }] };

export type CloudWebhookBody = { object: "whatsapp_business_account"; entry: [CloudWebhookEntry] };

/** The status of a message of ours; undefined while its outcome is unknown, for which Meta's dialect has no word. */
export function messageEventBody(event: MessageEvent): CloudWebhookBody | undefined {
  const status = statusOfVerb.get(event.verb);
  if (status === undefined) return undefined;
  return statusBody(event, {
    id: toWamid(event.messageId),
    status,
    at: event.at,
    recipient: event.recipient,
    callbackData: event.clientCallbackData,
    pricing: event.pricing,
    conversation: event.conversation,
    errors: status === "failed" ? failureOf(event) : [],
  });
}

const statusOfVerb = new Map([
  ["sent", "sent"],
  ["delivered", "delivered"],
  ["read", "read"],
  ["failed", "failed"],
  ["expired", "failed"],
  ["cancelled", "failed"],
]);

function failureOf({ verb, reason, errors }: MessageEvent): readonly ErrorFields[] {
  if (errors.length > 0) return errors;
  if (verb === "cancelled") return [messageError("cancelled", "cancelled by the business")];
  return [messageError(verb === "expired" ? "expired" : "internal", reason === "" ? verb : reason)];
}

/** The status of a message that did not pass through us, as WhatsApp reported it. */
export function foreignStatusBody(event: ForeignStatusEvent): CloudWebhookBody {
  return statusBody(event, { ...event, id: event.wamid });
}

/** A message from a user. */
export function inboundEventBody(event: InboundEvent): CloudWebhookBody {
  const user = isUserId(event.from) ? { user_id: event.from } : { wa_id: event.from };
  // Meta's system messages come without contacts.
  const contacts = event.type === "system" ? {} : { contacts: [{ profile: { name: event.profileName }, ...user }] };
  return body(event.wabaId, "messages", {
    ...valueHead(event),
    ...contacts,
    messages: [parseVerbatimBytes(event.messageJson)],
  });
}

/** News of a business account, or of a number's own errors: Meta's value passes as it came. */
export function accountEventBody(event: AccountEvent): CloudWebhookBody {
  const { wabaId, field, valueJson, at } = event;
  // Meta dates the entries of all fields but this one.
  const time = field === "messages" ? undefined : at;
  return body(wabaId, field, parseVerbatimBytes(valueJson), time);
}

function body(wabaId: string, field: string, value: unknown, at?: Timestamp): CloudWebhookBody {
  const time = at === undefined ? {} : { time: Number(at.seconds) };
  return { object: "whatsapp_business_account", entry: [{ id: wabaId, ...time, changes: [{ field, value }] }] };
}

type Place = { wabaId: string; phoneNumberId: string; displayPhoneNumber: string };

function valueHead({ displayPhoneNumber, phoneNumberId }: Place) {
  return {
    messaging_product: "whatsapp",
    metadata: { display_phone_number: displayPhoneNumber, phone_number_id: phoneNumberId },
  };
}

type ErrorFields = Partial<Pick<MessageError, "code" | "title" | "message" | "details" | "href">>;

type Status = {
  id: string;
  status: string;
  at?: Timestamp | undefined;
  recipient: string;
  callbackData: string;
  pricing?: Pricing | undefined;
  conversation?: Conversation | undefined;
  errors: readonly ErrorFields[];
};

function statusBody(place: Place, status: Status): CloudWebhookBody {
  const { id, at, recipient, callbackData, pricing, conversation, errors } = status;
  return body(place.wabaId, "messages", {
    ...valueHead(place),
    statuses: [
      {
        id,
        status: status.status,
        timestamp: String(at?.seconds ?? 0n),
        ...(recipient !== "" && { [isUserId(recipient) ? "recipient_user_id" : "recipient_id"]: recipient }),
        ...(callbackData !== "" && { biz_opaque_callback_data: callbackData }),
        ...(conversation !== undefined && { conversation: toConversationJson(conversation) }),
        ...(pricing !== undefined && { pricing: toPricingJson(pricing) }),
        ...(errors.length > 0 && { errors: errors.map(toErrorJson) }),
      },
    ],
  });
}

function toConversationJson({ id, originType, expirationSeconds }: Conversation) {
  return {
    id,
    ...(expirationSeconds !== 0n && { expiration_timestamp: String(expirationSeconds) }),
    ...(originType !== "" && { origin: { type: originType } }),
  };
}

function toPricingJson({ billable, pricingModel, type, category }: Pricing) {
  return {
    billable,
    ...(pricingModel !== "" && { pricing_model: pricingModel }),
    ...(type !== "" && { type }),
    ...(category !== "" && { category }),
  };
}

function toErrorJson({ code = 0, title = "", message = "", details = "", href = "" }: ErrorFields) {
  return {
    code,
    title,
    message: message === "" ? title : message,
    ...(details !== "" && { error_data: { details } }),
    ...(href !== "" && { href }),
  };
}

/** A business-scoped user id, such as US.1349…; a phone number has no letters. */
function isUserId(recipient: string): boolean {
  return /^[A-Z]{2}\./.test(recipient);
}
