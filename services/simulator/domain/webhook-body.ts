// The bodies of WhatsApp's webhooks. Made as JSON text, not by serialising a whole tree: three statuses a message are the
// simulator's largest cost, and template ids are JSON numbers beyond 2^53.
import { statusError } from "./graph-error.ts";
import type { Pricing } from "./pricing.ts";

/** One piece of news, before it is put into an envelope; `contact`, `item` and `value` are JSON text. */
export type Change =
  | {
      kind: "statuses" | "messages";
      wabaId: string;
      phoneNumberId: string;
      displayPhoneNumber: string;
      /** Empty for a failed status. */
      contact: string;
      item: string;
    }
  | { kind: "account"; wabaId: string; field: string; at: number; value: string };

export type Contact = {
  name: string;
  /** The user's phone number: digits. */
  waId: string;
  /** The business-scoped user id. */
  userId: string;
};

export type Sender = { wabaId: string; phoneNumberId: string; displayPhoneNumber: string };

export type Status = {
  wamid: string;
  status: "sent" | "delivered" | "read" | "failed";
  /** ms */
  at: number;
  contact: Contact;
  callbackData: string;
  pricing: Pricing | undefined;
  /** Of a failed one. */
  errorCode: number | undefined;
};

export function statusChange(sender: Sender, status: Status): Change {
  const { wamid, at, contact, callbackData, pricing, errorCode } = status;
  const failed = errorCode !== undefined;
  const item =
    `{"id":"${wamid}","status":"${status.status}","timestamp":"${seconds(at)}","recipient_id":"${contact.waId}"` +
    (failed ? "" : `,"recipient_user_id":"${contact.userId}"`) +
    (callbackData === "" ? "" : `,"biz_opaque_callback_data":${JSON.stringify(callbackData)}`) +
    (pricing === undefined ? "" : `,"pricing":${JSON.stringify(pricing)}`) +
    (failed ? `,"errors":[${JSON.stringify(statusError(errorCode))}]}` : "}");
  return { ...toSender(sender), kind: "statuses", contact: failed ? "" : contactJson(contact), item };
}

export type Inbound = {
  wamid: string;
  /** ms */
  at: number;
  contact: Contact;
  type: string;
  /** What stands under the key that `type` names. */
  content: unknown;
  /** Meta's `context` object. */
  context: object | undefined;
};

export function inboundChange(sender: Sender, { wamid, at, contact, type, content, context }: Inbound): Change {
  const item = JSON.stringify({
    ...(context !== undefined && { context }),
    from: contact.waId,
    from_user_id: contact.userId,
    id: wamid,
    timestamp: String(seconds(at)),
    type,
    [type]: content,
  });
  return { ...toSender(sender), kind: "messages", contact: contactJson(contact), item };
}

/** `value` is JSON text. */
export function accountChange(wabaId: string, field: string, at: number, value: string): Change {
  return { kind: "account", wabaId, field, at, value };
}

function toSender({ wabaId, phoneNumberId, displayPhoneNumber }: Sender): Sender {
  return { wabaId, phoneNumberId, displayPhoneNumber };
}

function contactJson({ name, waId, userId }: Contact): string {
  return `{"profile":{"name":${JSON.stringify(name)}},"wa_id":"${waId}","user_id":"${userId}"}`;
}

function seconds(at: number): number {
  return Math.floor(at / 1_000);
}

/**
 * The body of one POST: an entry for each account, in it a change for each number and kind, in the order of first appearance.
 * Pure ASCII, other characters as \uXXXX, which is what Meta signs.
 */
export function webhookBody(changes: readonly Change[]): string {
  const entries = new Map<string, Map<string, Change[]>>();
  for (const change of changes) {
    const account = change.kind === "account";
    const entry = within(entries, account ? `${change.wabaId} ${change.at}` : change.wabaId, () => new Map());
    within(entry, account ? String(entry.size) : change.phoneNumberId + change.kind, () => []).push(change);
  }
  const texts = Array.from(entries.values(), entryJson);
  return escapeNonAscii(`{"object":"whatsapp_business_account","entry":[${texts.join(",")}]}`);
}

function within<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

function entryJson(groups: ReadonlyMap<string, readonly Change[]>): string {
  let id = "";
  let time = "";
  const changes = Array.from(groups.values(), (group) => {
    const [first] = group;
    if (first === undefined) return "";
    id = first.wabaId;
    if (first.kind !== "account") return messagesJson(first, group);
    time = `,"time":${seconds(first.at)}`;
    return `{"value":${first.value},"field":"${first.field}"}`;
  });
  return `{"id":"${id}"${time},"changes":[${changes.join(",")}]}`;
}

function messagesJson(sender: Sender & { kind: string }, group: readonly Change[]): string {
  const contacts = new Set<string>();
  const items: string[] = [];
  for (const change of group) {
    if (change.kind === "account") continue;
    if (change.contact !== "") contacts.add(change.contact);
    items.push(change.item);
  }
  return (
    `{"value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"${sender.displayPhoneNumber}",` +
    `"phone_number_id":"${sender.phoneNumberId}"},` +
    (contacts.size === 0 ? "" : `"contacts":[${[...contacts].join(",")}],`) +
    `"${sender.kind}":[${items.join(",")}]},"field":"messages"}`
  );
}

// oxlint-disable-next-line no-control-regex -- ASCII is what must not be escaped
const nonAscii = /[^\x00-\x7f]/g;

/** Works on UTF-16 units, so a character beyond the first plane becomes two escapes. */
function escapeNonAscii(json: string): string {
  return json.replace(nonAscii, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
