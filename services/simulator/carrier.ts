// Carries messages: an accepted one to the user's phone, with the statuses on the way, and what the user writes to the business.
import { drain, throughputRate } from "./domain/bucket.ts";
import { monthOf, priceOf } from "./domain/pricing.ts";
import { type Contact, inboundChange, type Status, statusChange } from "./domain/webhook-body.ts";
import { type Settings, throughputOf } from "./settings.ts";
import type { Simulation } from "./simulation.ts";
import {
  type Behaviour,
  countService,
  getChat,
  type InboundMessage,
  nextSeq,
  type OutboundMessage,
  type Phone,
  type PhoneNumber,
  serviceDelivered,
  wamidOf,
} from "./store.ts";

/** What the phone does in this respect: its own way, or that of the settings. */
export function behaviourOf<Key extends keyof Behaviour>(settings: Settings, phone: Phone, key: Key): Behaviour[Key] {
  const own = phone.own[key];
  return own === undefined ? settings[key] : own;
}

/** Takes an accepted message on its way. Its first status goes out in a later turn, so usually after the answer. */
export function carry(sim: Simulation, message: OutboundMessage): void {
  sim.scheduler.at(message.acceptedAt, () => depart(sim, message));
}

function depart(sim: Simulation, message: OutboundMessage): void {
  const at = sim.now();
  if (message.failsWith !== 0) {
    message.failedAt = at;
    return publishStatus(sim, message, "failed", at);
  }
  message.sentAt = at;
  message.pricing = priceOf({
    category: message.category,
    windowOpen: message.windowOpen,
    serviceDelivered: serviceDelivered(message.number, monthOf(at)),
    at,
  });
  publishStatus(sim, message, "sent", at);
  const dueAt = message.acceptedAt + behaviourOf(sim.settings, message.phone, "deliverAfterMs");
  sim.scheduler.at(dueAt, () => arrive(sim, message));
}

function arrive(sim: Simulation, message: OutboundMessage): void {
  const { phone, number, category } = message;
  const { settings } = sim;
  if (behaviourOf(settings, phone, "offline")) {
    phone.waiting.push(message);
    return;
  }
  const at = sim.now();
  message.deliveredAt = at;
  phone.received.push(message);
  if (category === "SERVICE") countService(number, monthOf(at));
  const readAfterMs = behaviourOf(settings, phone, "readAfterMs");
  const skipped = readAfterMs !== null && settings.skipDelivered > 0 && sim.chance.phones() < settings.skipDelivered;
  if (!skipped) publishStatus(sim, message, "delivered", at);
  if (readAfterMs !== null) sim.scheduler.at(at + readAfterMs, () => read(sim, message, skipped));
  const reply = behaviourOf(settings, phone, "reply");
  if (reply === null) return;
  const content = { body: reply.text };
  sim.scheduler.at(at + reply.afterMs, () => void write(sim, { phone, number, type: "text", content }));
}

function read(sim: Simulation, message: OutboundMessage, withPrice: boolean): void {
  const at = sim.now();
  message.readAt = at;
  publishStatus(sim, message, "read", at, withPrice);
}

function publishStatus(
  sim: Simulation,
  message: OutboundMessage,
  status: Status["status"],
  at: number,
  withPrice = status !== "read",
): void {
  const { number, phone, callbackData, pricing, failsWith } = message;
  const change = statusChange(number, {
    wamid: wamidOf(sim.store, message),
    status,
    at,
    contact: toContact(phone),
    callbackData,
    pricing: withPrice ? pricing : undefined,
    errorCode: status === "failed" ? failsWith : undefined,
  });
  sim.callbacks.publish(change, number.account, phone.user);
}

function toContact({ name, user, userId }: Phone): Contact {
  return { name, waId: user, userId };
}

/** Delivers what has waited for a phone that was offline, in the order of acceptance. */
export function deliverWaiting(sim: Simulation, phone: Phone): void {
  const waiting = phone.waiting.splice(0);
  for (const message of waiting) sim.scheduler.at(sim.now(), () => arrive(sim, message));
}

export type Writing = {
  phone: Phone;
  number: PhoneNumber;
  type: string;
  /** What stands under the key that `type` names. */
  content: unknown;
  /** The message that it answers. */
  contextWamid?: string | undefined;
};

/** A user writes: the window opens, and the business hears of it. Answers with the new message's id. */
export function write(sim: Simulation, { phone, number, type, content, contextWamid }: Writing): string {
  const { store, settings } = sim;
  const at = sim.now();
  const message: InboundMessage = { inbound: true, seq: nextSeq(store), number, phone, type, content, at, readAt: 0 };
  store.messages.push(message);
  phone.wrote.push(message);
  getChat(number, phone.user).lastInboundAt = at;
  const limit = throughputOf(settings, number.throughputLevel);
  if (limit !== false) number.throughput = drain(number.throughput, throughputRate(limit), at);
  const wamid = wamidOf(store, message);
  const context = contextWamid === undefined ? undefined : { from: number.displayPhoneNumber, id: contextWamid };
  const change = inboundChange(number, { wamid, at, contact: toContact(phone), type, content, context });
  sim.callbacks.publish(change, number.account, phone.user);
  return wamid;
}
