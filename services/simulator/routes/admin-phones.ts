// /admin/phones: what each user's phone received, which is the judge of every test, and what the user does with it.
import { z } from "zod";
import { deliverWaiting, write } from "../carrier.ts";
import { windowClosesAt } from "../domain/window.ts";
import { merge, phonePatch } from "../settings.ts";
import type { Simulation } from "../simulation.ts";
import {
  getPhone,
  loadNumber,
  type OutboundMessage,
  type Phone,
  type PhoneNumber,
  type Store,
  wamidOf,
} from "../store.ts";
import { type AdminReply, type AdminRequest, invalid, missing, ok, pageOf } from "./admin.ts";

/** Digits of a number written any way; undefined if there are too few. */
function toUser(name: string): string | undefined {
  const digits = name.replace(/\D/g, "");
  return /^[1-9]\d{5,16}$/.test(digits) ? digits : undefined;
}

export function listPhones({ store }: Simulation): AdminReply {
  const phones = Array.from(store.phones.values(), ({ user, name, received, waiting, wrote }) => ({
    user,
    name,
    received: received.length,
    waiting: waiting.length,
    wrote: wrote.length,
  }));
  return ok({ phones });
}

export function readPhone({ store }: Simulation, _request: AdminRequest, name: string): AdminReply {
  const user = toUser(name);
  const phone = user === undefined ? undefined : store.phones.get(user);
  return phone === undefined ? missing(`phone ${name}`) : ok(describePhone(store, phone));
}

function describePhone(store: Store, phone: Phone): object {
  const windows: object[] = [];
  for (const number of store.numbers.values()) {
    const at = number.chats.get(phone.user)?.lastInboundAt;
    if (at !== undefined)
      windows.push({ phoneNumberId: number.phoneNumberId, lastInboundAt: at, closesAt: windowClosesAt(at) });
  }
  return {
    user: phone.user,
    name: phone.name,
    userId: phone.userId,
    own: phone.own,
    received: phone.received.length,
    waiting: phone.waiting.length,
    windows,
    wrote: phone.wrote.map((message) => ({
      wamid: wamidOf(store, message),
      phoneNumberId: message.number.phoneNumberId,
      type: message.type,
      content: message.content,
      at: message.at,
      markedReadAt: message.readAt || null,
    })),
  };
}

export function changePhone(sim: Simulation, { body }: AdminRequest, name: string): AdminReply {
  const user = toUser(name);
  if (user === undefined) return missing(`phone ${name}`);
  const parsed = phonePatch.safeParse(body);
  if (!parsed.success) return invalid(parsed.error);
  const { name: userName, ...own } = parsed.data;
  const phone = getPhone(sim.store, user);
  phone.name = userName ?? phone.name;
  phone.own = merge(phone.own, own);
  if (own.offline === false) deliverWaiting(sim, phone);
  return ok(describePhone(sim.store, phone));
}

/** One message as judges see it. Times in ms, null for not yet; texts that are empty are left out. */
export function describeMessage(store: Store, message: OutboundMessage): object {
  const { number, phone } = message;
  return {
    wamid: wamidOf(store, message),
    from: number.displayPhoneNumber,
    phoneNumberId: number.phoneNumberId,
    to: phone.user,
    type: message.type,
    text: message.text,
    ...(message.template !== "" && { template: message.template }),
    ...(message.callbackData !== "" && { biz_opaque_callback_data: message.callbackData }),
    ...(message.contextWamid !== "" && { context: message.contextWamid }),
    ...(message.pricing !== undefined && { pricing: message.pricing }),
    ...(message.failsWith !== 0 && { errorCode: message.failsWith }),
    acceptedAt: message.acceptedAt,
    sentAt: message.sentAt || null,
    deliveredAt: message.deliveredAt || null,
    readAt: message.readAt || null,
    failedAt: message.failedAt || null,
  };
}

/** In the order of arrival; a phone that nobody wrote to received nothing. */
export function listReceived({ store }: Simulation, { query }: AdminRequest, name: string): AdminReply {
  const user = toUser(name);
  if (user === undefined) return missing(`phone ${name}`);
  const phone = store.phones.get(user);
  const { rows, next } = pageOf(phone?.received ?? [], query, Number.POSITIVE_INFINITY);
  return ok({ user, messages: rows.map((message) => describeMessage(store, message)), next });
}

const writing = z.looseObject({
  to: z.union([z.string(), z.int()]).transform((value) => String(value).replace(/\D/g, "")),
  type: z.string().min(1).default("text"),
  text: z.unknown().optional(),
  /** Of a button. */
  payload: z.string().optional(),
  /** The wamid that it answers; a button press without one answers the last template of that number. */
  context: z.string().optional(),
});

/** The user writes, or presses a button. */
export function writeAsUser(sim: Simulation, { body }: AdminRequest, name: string): AdminReply {
  const user = toUser(name);
  if (user === undefined) return missing(`phone ${name}`);
  const parsed = writing.safeParse(body);
  if (!parsed.success) return invalid(parsed.error);
  const number = loadNumber(sim.store, parsed.data.to);
  if (number === undefined) return missing(`number ${parsed.data.to}`);
  const { type, context } = parsed.data;
  const content = contentOf(parsed.data);
  if (content === undefined)
    return { status: 400, body: { error: `"${type}" needs its content under the key ${contentKey(type)}` } };
  const phone = getPhone(sim.store, user);
  const contextWamid = context ?? (type === "button" ? lastTemplate(sim.store, phone, number) : undefined);
  return ok({ wamid: write(sim, { phone, number, type, content, contextWamid }) });
}

function contentKey(type: string): string {
  return type === "button" ? "text" : type;
}

/** What stands under the key of the type; of a text and a button it may be given as plain text. */
function contentOf({ type, text, payload, ...rest }: z.output<typeof writing>): unknown {
  if (type === "text") return typeof text === "string" ? { body: text } : text;
  if (type === "button") return typeof text === "string" ? { text, payload: payload ?? text } : rest["button"];
  return rest[type];
}

function lastTemplate(store: Store, phone: Phone, number: PhoneNumber): string | undefined {
  const message = phone.received.findLast((one) => one.number === number && one.template !== "");
  return message === undefined ? undefined : wamidOf(store, message);
}
