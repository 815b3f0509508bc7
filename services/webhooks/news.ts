// What a message of the stream means for webhooks: whom it concerns, what it must follow, and the bytes that are sent.
import { fromBinary } from "@bufbuild/protobuf";
import {
  accountEventBody,
  foreignStatusBody,
  inboundEventBody,
  messageEventBody,
} from "#dialects/cloud-webhook-out.ts";
import {
  AccountEventSchema,
  ForeignStatusEventSchema,
  InboundEventSchema,
  MessageEventSchema,
} from "#proto/heliograph/messages/v1/events_pb.ts";
import type { Origin } from "./domain/matching.ts";

export type News = {
  eventId: string;
  origin: Origin;
  /** News with the same key is delivered in order. */
  orderKey: string;
  /** In the Cloud dialect; undefined if that has no word for it. */
  body: () => object | undefined;
};

/** Undefined for a subject that is none of ours. Throws on bytes that are no event. */
export function parseNews(subject: string, data: Uint8Array): News | undefined {
  const [, noun = ""] = subject.split(".");
  const news = parsers.get(noun)?.(data);
  if (news?.eventId === "") throw new Error(`event on ${subject} has no event id`);
  return news;
}

const parsers = new Map<string, (data: Uint8Array) => News>([
  ["message", messageNews],
  ["inbound", inboundNews],
  ["status", foreignStatusNews],
  ["account", accountNews],
]);

function messageNews(data: Uint8Array): News {
  const event = fromBinary(MessageEventSchema, data);
  const { eventId, messageId: orderKey, phoneNumberId, wabaId } = event;
  return {
    eventId,
    orderKey,
    origin: { kind: "statuses", phoneNumberId, wabaId },
    body: () => messageEventBody(event),
  };
}

function inboundNews(data: Uint8Array): News {
  const event = fromBinary(InboundEventSchema, data);
  const { eventId, wamid: orderKey, phoneNumberId, wabaId } = event;
  return {
    eventId,
    orderKey,
    origin: { kind: "messages", phoneNumberId, wabaId },
    body: () => inboundEventBody(event),
  };
}

function foreignStatusNews(data: Uint8Array): News {
  const event = fromBinary(ForeignStatusEventSchema, data);
  const { eventId, wamid: orderKey, phoneNumberId, wabaId } = event;
  return {
    eventId,
    orderKey,
    origin: { kind: "statuses", phoneNumberId, wabaId },
    body: () => foreignStatusBody(event),
  };
}

function accountNews(data: Uint8Array): News {
  const event = fromBinary(AccountEventSchema, data);
  const { eventId, wabaId } = event;
  return {
    eventId,
    orderKey: wabaId,
    origin: { kind: "account", phoneNumberId: undefined, wabaId },
    body: () => accountEventBody(event),
  };
}
