// One event of the stream as the tail shows it. Contents of messages stay out.
import { fromBinary } from "@bufbuild/protobuf";
import type { MessageError } from "#proto/heliograph/messages/v1/content_pb.ts";
import {
  AccountEventSchema,
  ForeignStatusEventSchema,
  InboundEventSchema,
  MessageEventSchema,
  NumberEventSchema,
} from "#proto/heliograph/messages/v1/events_pb.ts";
import { timeText } from "./wire.ts";

export type News = {
  /** When it happened: ISO 8601, UTC. */
  at: string;
  /** Noun and verb, such as message.delivered. */
  event: string;
  /** phone_number_id; of an account, its waba_id. */
  number: string;
  /** The user's, in full; empty where there is none. */
  phone: string;
  /** The message's: ours for what we sent, else WhatsApp's. */
  id: string;
  /** What else is worth telling, as `name=value` or a word. */
  details: string[];
  eventId: string;
};

/** Undefined for subjects that are no news. Throws if the payload is not what the subject says. */
export function readNews(subject: string, data: Uint8Array): News | undefined {
  const [, noun, verb = ""] = subject.split(".");
  const event = `${noun}.${verb}`;
  switch (noun) {
    case "message":
      return { ...messageNews(data), event };
    case "inbound": {
      const { eventId, at, phoneNumberId, from, wamid, type } = fromBinary(InboundEventSchema, data);
      return { eventId, at: timeText(at), event, number: phoneNumberId, phone: from, id: wamid, details: [type] };
    }
    case "status": {
      const status = fromBinary(ForeignStatusEventSchema, data);
      const details = [status.status, ...errorWords(status.errors)];
      const { eventId, at, phoneNumberId, recipient, wamid } = status;
      return { eventId, at: timeText(at), event, number: phoneNumberId, phone: recipient, id: wamid, details };
    }
    case "account": {
      const { eventId, at, wabaId, field } = fromBinary(AccountEventSchema, data);
      return {
        eventId,
        at: timeText(at),
        event: "account.changed",
        number: wabaId,
        phone: "",
        id: "",
        details: [field],
      };
    }
    case "number": {
      const { eventId, at, phoneNumberId, address, term } = fromBinary(NumberEventSchema, data);
      const details = [...pair("term", term === 0n ? "" : String(term)), ...pair("address", address)];
      return { eventId, at: timeText(at), event, number: phoneNumberId, phone: "", id: "", details };
    }
    default:
      return undefined;
  }
}

function messageNews(data: Uint8Array): Omit<News, "event"> {
  const message = fromBinary(MessageEventSchema, data);
  const { eventId, at, phoneNumberId, recipient, messageId, attempt, pricing } = message;
  const details = [
    ...pair("attempt", attempt > 1 ? String(attempt) : ""),
    ...pair("reason", message.reason),
    ...errorWords(message.errors),
    ...pair("template", message.templateName),
    ...pair("campaign", message.campaign),
    ...pair("price", pricing?.category ?? ""),
  ];
  return { eventId, at: timeText(at), number: phoneNumberId, phone: recipient, id: messageId, details };
}

function errorWords(errors: readonly MessageError[]): string[] {
  return errors.map(({ code }) => `error=${code}`);
}

function pair(name: string, value: string): string[] {
  return value === "" ? [] : [`${name}=${value}`];
}
