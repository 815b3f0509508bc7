// The values of options: text → value. Each throws UsageError with what would do.
import { parseRecipient } from "#dialects/phone.ts";
import type { MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { UsageError } from "./errors.ts";
import { parseMessageId, parseState, stateNames } from "./wire.ts";

export type AdoptOptions = {
  /** All accounts that have a number here, unless told. */
  wabaId: string | undefined;
  /** Of the account's resource, and of the Secret that it refers to. */
  name: string | undefined;
  secret: string | undefined;
  /** Where files are written; undefined: stdout. */
  folder: string | undefined;
};

/** A parameter of a template's body; without a name, the next in order. */
export type Parameter = { name: string | undefined; value: string };

/** NAME=VALUE has a name; =VALUE and all else have none. */
export function parameterOf(given: string): Parameter {
  if (given.startsWith("=")) return { name: undefined, value: given.slice(1) };
  const [, name, value] = /^([a-z][a-z0-9_]*)=(.*)$/s.exec(given) ?? [];
  return name === undefined || value === undefined ? { name: undefined, value: given } : { name, value };
}

/** The ledger's id behind a UUID or a wamid of ours. */
export function messageIdOf(given: string): string {
  const messageId = parseMessageId(given);
  if (messageId === undefined) throw new UsageError(`${given} is no id of a message that was sent here`);
  return messageId;
}

export function digitsOf(phone: string): string {
  const digits = parseRecipient(phone);
  if (digits === undefined) throw new UsageError(`--to must be a phone number with country code, not ${phone}`);
  return digits;
}

export function stateOf(given: string): MessageState {
  const state = parseState(given);
  if (state === undefined) throw new UsageError(`--state must be one of ${stateNames}; not ${given}`);
  return state;
}

export function limitOf(given: string): number {
  const limit = /^\d{1,6}$/.test(given) ? Number(given) : 0;
  if (limit === 0) throw new UsageError(`--limit must be a count from 1 to 999999, not ${given}`);
  return limit;
}

const unitMs = new Map([
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

function parseDurationMs(given: string): number | undefined {
  const [, count, unit = ""] = /^(\d{1,9})([smhd])$/.exec(given) ?? [];
  const each = unitMs.get(unit);
  return count === undefined || each === undefined || Number(count) === 0 ? undefined : Number(count) * each;
}

export function durationMs(option: string, given: string): number {
  const ms = parseDurationMs(given);
  if (ms === undefined)
    throw new UsageError(`--${option} must be a length of time such as 90s, 15m, 2h or 7d, not ${given}`);
  return ms;
}

/** A length of time before `now`, or an ISO time. */
export function timeOf(given: string, now: Date): Date {
  const ago = parseDurationMs(given);
  const at =
    ago === undefined ? new Date(/^\d{4}-\d\d-\d\d/.test(given) ? given : Number.NaN) : new Date(now.getTime() - ago);
  if (Number.isNaN(at.getTime()))
    throw new UsageError(`--since must be such as 15m, 2h, 7d or an ISO time, not ${given}`);
  return at;
}

/** HOST:PORT to listen on. */
export function listenOf(given: string): { host: string; port: number } {
  const [, host, port] = /^([A-Za-z0-9.-]+):(\d{1,5})$/.exec(given) ?? [];
  if (host === undefined || port === undefined)
    throw new UsageError(`--listen must be such as 0.0.0.0:8080, not ${given}`);
  return { host, port: Number(port) };
}
