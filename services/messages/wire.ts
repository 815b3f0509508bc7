// Requests of the ledger's clients → checked values, and back. What cannot be is INVALID_ARGUMENT with the field's name.
import { toBinary } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { fromWamid, isMessageId } from "#dialects/message-id.ts";
import { ServiceError } from "#lib/errors.ts";
import { type Content, ContentSchema } from "#proto/heliograph/messages/v1/content_pb.ts";
import type { MessageError as WireError } from "#proto/heliograph/messages/v1/content_pb.ts";
import { Lane as WireLane } from "#proto/heliograph/messages/v1/messages_pb.ts";
import type {
  AcquireRequest,
  BeginRequest,
  FinishRequest,
  Number as WireNumber,
  Outcome as WireOutcome,
  RenewRequest,
  SendRequest,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { Lane, Sending } from "./domain/accept.ts";
import type { BeginItem, FinishItem, IdempotencyKey } from "./domain/batch.ts";
import type { Asker, Told } from "./domain/lease.ts";
import type { MessageError, Outcome } from "./domain/progress.ts";
import { decideNumber, isMetaId, maxTtlSeconds, type PhoneNumber } from "./domain/number.ts";

export function invalid(message: string): ServiceError {
  return new ServiceError("INVALID_ARGUMENT", "invalid_argument", message);
}

const categories = new Set(["", "MARKETING", "UTILITY", "AUTHENTICATION"]);

export type ParsedSend = { sending: Sending; idempotency: IdempotencyKey | undefined };

export function parseSend(request: SendRequest): ParsedSend {
  const { recipient, category, ttlSeconds } = request;
  if (!/^\d{5,20}$/.test(recipient)) throw invalid("recipient must be digits with country code, no plus");
  if (!categories.has(category))
    throw invalid(`category must be MARKETING, UTILITY or AUTHENTICATION, not ${category}`);
  if (ttlSeconds > maxTtlSeconds) throw invalid(`ttl_seconds must be at most ${maxTtlSeconds}`);
  return {
    sending: {
      messageId: parseMessageId(request.messageId),
      phoneNumberId: parsePhoneNumberId(request.phoneNumberId),
      recipient,
      lane: parseLane(request.lane),
      category,
      ttlSeconds,
      campaign: parseText("campaign", request.campaign, 128),
      clientCallbackData: parseText("client_callback_data", request.clientCallbackData, 512),
      ...parseContent(request.content),
    },
    idempotency: request.idempotency && {
      key: parseKey(request.idempotency.key),
      bodyHash: parseHash(request.idempotency.bodyHash),
    },
  };
}

function parseLane(lane: WireLane): Lane {
  switch (lane) {
    case WireLane.UNSPECIFIED:
    case WireLane.REPLY:
      return "reply";
    case WireLane.BULK:
      return "bulk";
    default:
      throw invalid(`lane ${lane} is unknown`);
  }
}

function parseContent(content: Content | undefined) {
  if (content === undefined || content.kind.case === undefined) throw invalid("content is missing");
  const { kind } = content;
  const template = kind.case === "template" ? kind.value : { name: "", language: "" };
  const quoted = parseText("content.context_message_id", content.contextMessageId, 512);
  const contextMessageId = fromWamid(quoted);
  return {
    content: toBinary(ContentSchema, content),
    templateName: parseText("content.template.name", template.name, 512),
    templateLanguage: parseText("content.template.language", template.language, 16),
    contextMessageId,
    contextWamid: contextMessageId === undefined ? quoted : "",
  };
}

function parseKey(key: string): string {
  if (key === "") throw invalid("idempotency.key is empty");
  return parseText("idempotency.key", key, 255);
}

function parseHash(hash: Uint8Array): string {
  if (hash.byteLength !== 32) throw invalid(`idempotency.body_hash must have 32 bytes, not ${hash.byteLength}`);
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString("hex");
}

export function parseMessageId(messageId: string): string {
  if (!isMessageId(messageId)) throw invalid("message_id must be a UUID in lower case");
  return messageId;
}

export function parsePhoneNumberId(phoneNumberId: string): string {
  if (!isMetaId(phoneNumberId)) throw invalid("phone_number_id must be digits");
  return phoneNumberId;
}

/** Postgres takes no NUL in a text. */
export function parseText(name: string, text: string, most: number): string {
  if (text.length > most && Array.from(text).length > most)
    throw invalid(`${name} must have at most ${most} characters`);
  if (text.includes("\0")) throw invalid(`${name} must not have a NUL`);
  return text;
}

/** Terms, epochs and the like. */
export function parseCount(name: string, count: bigint): number {
  const value = Number(count);
  if (!Number.isSafeInteger(value) || value < 0) throw invalid(`${name} ${count} is out of range`);
  return value;
}

/** A missing or impossible time is now. */
export function parseTime(time: Timestamp | undefined, now: Date): Date {
  if (time === undefined) return now;
  const date = timestampDate(time);
  return Number.isNaN(date.getTime()) ? now : date;
}

export function parseBegin(request: BeginRequest): BeginItem {
  return {
    kind: "begin",
    phoneNumberId: parsePhoneNumberId(request.phoneNumberId),
    term: parseCount("term", request.term),
    attempts: request.attempts.map(({ messageId, attempt }) => ({ messageId: parseMessageId(messageId), attempt })),
  };
}

/** Outcomes that say nothing are left out: Finish is never refused. */
export function parseFinish(request: FinishRequest, now: Date): FinishItem {
  return {
    kind: "finish",
    phoneNumberId: parsePhoneNumberId(request.phoneNumberId),
    term: parseCount("term", request.term),
    outcomes: request.outcomes.flatMap(({ messageId, attempt, at, kind }) => {
      const outcome = parseOutcome(kind, now);
      if (outcome === undefined || !isMessageId(messageId)) return [];
      return { messageId, attempt, at: parseTime(at, now), outcome };
    }),
  };
}

function parseOutcome(kind: WireOutcome["kind"], now: Date): Outcome | undefined {
  switch (kind.case) {
    case "taken":
      return { kind: "taken", wamid: withoutNul(kind.value.wamid) };
    case "refused":
      return {
        kind: "refused",
        reason: withoutNul(kind.value.reason),
        error: kind.value.error && parseError(kind.value.error),
      };
    case "wait":
      return { kind: "wait", reason: withoutNul(kind.value.reason), until: parseTime(kind.value.until, now) };
    case "unknown":
      return { kind: "unknown", reason: withoutNul(kind.value.reason) };
    case "expired":
      return { kind: "expired" };
    case undefined:
      return undefined;
  }
}

/** The domain keeps plain values: rows and news are made from them. */
export function parseError({ code, title, message, details, href }: WireError): MessageError {
  return {
    code,
    title: withoutNul(title),
    message: withoutNul(message),
    details: withoutNul(details),
    href: withoutNul(href),
  };
}

/** For texts of WhatsApp's: what it reports must be stored. Postgres takes no NUL, in JSON neither. */
export function withoutNul(text: string): string {
  return text.includes("\0") ? text.replaceAll("\0", "\uFFFD") : text;
}

export function parseAcquire(request: AcquireRequest): { phoneNumberId: string; asker: Asker } {
  const { holder, bootId, address, takeOver } = request;
  if (holder === "") throw invalid("holder is empty");
  if (bootId === "") throw invalid("boot_id is empty");
  return {
    phoneNumberId: parsePhoneNumberId(request.phoneNumberId),
    asker: {
      holder: parseText("holder", holder, 255),
      bootId: parseText("boot_id", bootId, 255),
      epoch: parseCount("epoch", request.epoch),
      address: parseText("address", address, 255),
      takeOver,
    },
  };
}

export function parseNumber(number: WireNumber | undefined): PhoneNumber {
  if (number === undefined) throw invalid("number is missing");
  const decision = decideNumber({
    phoneNumberId: number.phoneNumberId,
    wabaId: number.wabaId,
    displayPhoneNumber: number.displayPhoneNumber,
    name: parseText("name", number.name, 255),
    spec: number.spec,
  });
  if ("fault" in decision) throw invalid(decision.fault);
  return decision.number;
}

export function parseAccount(account: { wabaId: string; name: string } | undefined): { wabaId: string; name: string } {
  if (account === undefined) throw invalid("account is missing");
  if (!isMetaId(account.wabaId)) throw invalid("waba_id must be digits");
  return { wabaId: account.wabaId, name: parseText("name", account.name, 255) };
}

/** The holder's own words; one that is not known here yet is kept too. */
export function parseTold({ standing, restReason, restsUntil, wasRegistered }: RenewRequest): Told {
  if (!/^[a-z_]{0,64}$/.test(standing)) throw invalid("standing must be a snake_case word");
  if (!/^[a-z_]{0,64}$/.test(restReason)) throw invalid("rest_reason must be a snake_case word");
  const until = restsUntil === undefined ? undefined : timestampDate(restsUntil);
  const isTime = until !== undefined && !Number.isNaN(until.getTime());
  return { standing, restReason, restsUntil: isTime ? until : undefined, wasRegistered };
}

const proofs = new Set(["pod_terminal", "pod_gone", "containers_terminated", "process_gone"]);

export function parseProof(proof: string): string {
  if (!proofs.has(proof)) throw invalid(`proof must be one of ${[...proofs].join(", ")}`);
  return proof;
}
