// POST /{phone-number-id}/messages: send, mark as read, show the typing indicator.
import { errorBody } from "#dialects/cloud-errors.ts";
import { type ParsedSend, parseSend } from "#dialects/cloud-send.ts";
import type { TemplateMessage } from "#proto/heliograph/messages/v1/content_pb.ts";
import { behaviourOf, carry } from "../carrier.ts";
import type { GraphError } from "../domain/graph-error.ts";
import type { PricedCategory } from "../domain/pricing.ts";
import { decideSend } from "../domain/send.ts";
import { codeOfStatus } from "../domain/template.ts";
import { checkTemplate } from "../domain/template-check.ts";
import { isWindowOpen } from "../domain/window.ts";
import { throughputOf } from "../settings.ts";
import type { Simulation } from "../simulation.ts";
import {
  getChat,
  getPhone,
  loadMessage,
  loadTemplate,
  nextSeq,
  type OutboundMessage,
  type PhoneNumber,
  wamidOf,
} from "../store.ts";
import { toSentComponents } from "../wire.ts";
import type { GraphReply, GraphRequest } from "./graph.ts";

type ParsedMessage = Extract<ParsedSend, { kind: "message" }>;

export function sendOrMarkRead(sim: Simulation, number: PhoneNumber, { body, version }: GraphRequest): GraphReply {
  const parsed = parseSend(body);
  switch (parsed.kind) {
    case "refusal":
      return { error: { code: errorBody(parsed.reason, { fbtraceId: "" }).error.code, details: parsed.details } };
    case "read":
      return markRead(sim, number, parsed.wamid);
    case "message":
      return send(sim, number, parsed, version);
  }
}

type Content = {
  type: string;
  text: string;
  /** Empty for anything but a template. */
  template: string;
  category: PricedCategory;
  error: GraphError | undefined;
};

function send(sim: Simulation, number: PhoneNumber, message: ParsedMessage, version: number): GraphReply {
  const { store, settings } = sim;
  const at = sim.now();
  const content = readContent(number, message, version);
  const phone = getPhone(store, message.to);
  const chat = getChat(number, message.to);
  const windowOpen = isWindowOpen(chat.lastInboundAt, at);
  const verdict = decideSend(
    {
      recipient: message.to,
      displayPhoneNumber: number.displayPhoneNumber,
      numberStatus: number.status,
      registered: number.registered && !number.takenElsewhere && !number.onPremises,
      allowedRecipients: number.allowedRecipients,
      templateError: content.error,
      isTemplate: content.template !== "",
      windowOpen,
      notOnWhatsApp: behaviourOf(settings, phone, "notOnWhatsApp"),
      throughputLimit: throughputOf(settings, number.throughputLevel),
      throughput: number.throughput,
      pairLimit: settings.limits.pair,
      pair: chat.pair,
    },
    at,
  );
  if (!verdict.accepted) return { error: verdict.error };
  number.throughput = verdict.throughput;
  chat.pair = verdict.pair;
  const row: OutboundMessage = {
    inbound: false,
    seq: nextSeq(store),
    number,
    phone,
    type: content.type,
    text: content.text,
    template: content.template,
    category: content.category,
    callbackData: message.callbackData,
    contextWamid: message.content.contextMessageId,
    windowOpen,
    pricing: undefined,
    failsWith: verdict.failsWith ?? 0,
    acceptedAt: at,
    sentAt: 0,
    deliveredAt: 0,
    readAt: 0,
    failedAt: 0,
  };
  store.messages.push(row);
  carry(sim, row);
  return { body: toAnswer(message, wamidOf(store, row), content.template !== "") };
}

function toAnswer({ to, toInput }: ParsedMessage, id: string, isTemplate: boolean): object {
  return {
    messaging_product: "whatsapp",
    contacts: [{ input: toInput, wa_id: to }],
    messages: [isTemplate ? { id, message_status: "accepted" } : { id }],
  };
}

function readContent(number: PhoneNumber, { content: { kind } }: ParsedMessage, version: number): Content {
  switch (kind.case) {
    case "text":
      return { type: "text", text: kind.value.body, template: "", category: "SERVICE", error: undefined };
    case "template":
      return readTemplateContent(number, kind.value, version);
    case undefined:
      throw new TypeError("a parsed message has no kind");
  }
}

function readTemplateContent({ account }: PhoneNumber, message: TemplateMessage, version: number): Content {
  const { name, language } = message;
  const content: Content = {
    type: "template",
    text: "",
    template: `${name}|${language}`,
    category: "UTILITY",
    error: undefined,
  };
  const template = loadTemplate(account, name, language);
  const code = template === undefined ? 132001 : codeOfStatus(template.status);
  if (template === undefined || code !== undefined) {
    const details = `template name (${name}) does not exist in ${language}, or its state does not allow sending`;
    return { ...content, error: { code: code ?? 132001, details } };
  }
  const checked = checkTemplate(template.plan, toSentComponents(message), version);
  if (!checked.fits) return { ...content, error: { code: checked.code, details: checked.details } };
  return { ...content, text: checked.text, category: template.category };
}

/** Marks the message and all earlier ones of the chat. */
function markRead({ store, now }: Simulation, number: PhoneNumber, wamid: string): GraphReply {
  const message = loadMessage(store, wamid);
  if (message === undefined || !message.inbound || message.number !== number) {
    return {
      error: { code: 131009, details: "message_id is not the id of a message that this phone number received" },
    };
  }
  const at = now();
  for (const earlier of message.phone.wrote) {
    if (earlier.seq > message.seq) break;
    if (earlier.number === number && earlier.readAt === 0) earlier.readAt = at;
  }
  return { body: { success: true } };
}
