// What the ledger tells the other services: subject, event id and payload of each kind of news.
import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { toWamid } from "#dialects/message-id.ts";
import type { OutboxRow } from "#lib/outbox.ts";
import {
  AccountEventSchema,
  ForeignStatusEventSchema,
  InboundEventSchema,
  MessageEventSchema,
  NumberEventSchema,
} from "#proto/heliograph/messages/v1/events_pb.ts";
import type { AccountNews, MessageNews, PassedStatus } from "./domain/batch.ts";
import type { InboundMessage } from "./domain/inbound.ts";

/** What news says of the number it is about. */
export type Place = { wabaId: string; displayPhoneNumber: string };

/** A message has come further. */
export function messageEvent({ message, news }: MessageNews, place: Place): OutboxRow {
  const { messageId, phoneNumberId } = message;
  const eventId = `${messageId}.${news.attempt}.${news.verb}`;
  const event = create(MessageEventSchema, {
    eventId,
    verb: news.verb,
    messageId,
    attempt: news.attempt,
    phoneNumberId,
    ...place,
    recipient: message.recipient,
    at: timestampFromDate(news.at),
    clientCallbackData: message.clientCallbackData,
    category: message.category,
    templateName: message.templateName,
    templateLanguage: message.templateLanguage,
    campaign: message.campaign,
    reason: news.reason,
    errors: [...news.errors],
    ...(news.pricing !== undefined && { pricing: news.pricing }),
    ...(news.conversation !== undefined && { conversation: news.conversation }),
  });
  const payload = toBinary(MessageEventSchema, event);
  return { subject: `wa.message.${news.verb}.${phoneNumberId}`, eventId, payload };
}

/** A user wrote. */
export function inboundReceived(inbound: InboundMessage, place: Place): OutboxRow {
  const { phoneNumberId, wamid } = inbound;
  const eventId = `${wamid}.received`;
  const event = create(InboundEventSchema, {
    eventId,
    phoneNumberId,
    wabaId: inbound.wabaId || place.wabaId,
    displayPhoneNumber: place.displayPhoneNumber,
    wamid,
    from: inbound.from,
    profileName: inbound.profileName,
    at: timestampFromDate(inbound.at),
    type: inbound.type,
    messageJson: inbound.messageJson,
  });
  const payload = toBinary(InboundEventSchema, event);
  return { subject: `wa.inbound.received.${phoneNumberId}`, eventId, payload };
}

/** A status that the ledger has no use for. One of a message of ours carries the ids that the client knows. */
export function statusPassed({ report, message }: PassedStatus, place: Place): OutboxRow {
  const { phoneNumberId } = report;
  const eventId = `${report.wamid}.${report.status}`;
  const event = create(ForeignStatusEventSchema, {
    eventId,
    phoneNumberId,
    wabaId: report.wabaId || place.wabaId,
    displayPhoneNumber: place.displayPhoneNumber,
    wamid: message === undefined ? report.wamid : toWamid(message.messageId),
    status: report.status,
    recipient: report.recipient,
    at: timestampFromDate(report.at),
    callbackData: message === undefined ? report.callbackData : message.clientCallbackData,
    errors: [...report.errors],
    ...(report.pricing !== undefined && { pricing: report.pricing }),
    ...(report.conversation !== undefined && { conversation: report.conversation }),
  });
  const payload = toBinary(ForeignStatusEventSchema, event);
  return { subject: `wa.status.passed.${phoneNumberId}`, eventId, payload };
}

/** Meta said something about an account. */
export function accountEvent({ wabaId, field, valueJson, at }: AccountNews): OutboxRow {
  const hash = createHash("sha256").update(`${field}\n${at.getTime()}\n`).update(valueJson);
  const eventId = hash.digest("hex");
  const event = create(AccountEventSchema, { eventId, wabaId, field, valueJson, at: timestampFromDate(at) });
  return { subject: `wa.account.${field}.${wabaId}`, eventId, payload: toBinary(AccountEventSchema, event) };
}

type NumberNews = Place & {
  verb: "applied" | "removed" | "connected" | "disconnected";
  phoneNumberId: string;
  /** The lease's term, or the declaration's generation. */
  version: number;
  /** Connected only. */
  address: string;
  at: Date;
};

/** A number was declared or removed, or its connection came or went. */
export function numberEvent({ verb, phoneNumberId, version, at, ...rest }: NumberNews): OutboxRow {
  const eventId = `${phoneNumberId}.${verb}.${version}`;
  const isLease = verb === "connected" || verb === "disconnected";
  const event = create(NumberEventSchema, {
    eventId,
    verb,
    phoneNumberId,
    ...rest,
    term: BigInt(isLease ? version : 0),
    at: timestampFromDate(at),
  });
  return { subject: `wa.number.${verb}.${phoneNumberId}`, eventId, payload: toBinary(NumberEventSchema, event) };
}
