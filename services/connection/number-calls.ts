// The Graph API's calls about one number: its facts, its registration, marking as read.
import { z } from "zod";
import { ServiceError } from "#lib/errors.ts";
import type { GraphError, Look } from "./domain/outcome.ts";
import { parseJson, toFailedReply } from "./graph.ts";
import { accepted, call, type Called, id, inWords, listAll, success, text } from "./graph-call.ts";
import type { Upstream } from "./upstream.ts";

const phoneNumber = z.object({
  display_phone_number: text,
  verified_name: text,
  status: text,
  quality_rating: text,
  messaging_limit_tier: text,
  whatsapp_business_manager_messaging_limit: text,
  throughput: z.object({ level: text }).optional().catch(undefined),
  name_status: text,
  code_verification_status: text,
  platform_type: text,
});

const numberLook = phoneNumber.pick({ status: true, platform_type: true, throughput: true }).extend({ id });
const listedNumber = phoneNumber.extend({ id });

export type GraphPhoneNumber = z.infer<typeof phoneNumber>;
export type GraphListedNumber = z.infer<typeof listedNumber>;

const numberFields =
  "display_phone_number,verified_name,status,quality_rating,messaging_limit_tier,throughput,name_status,code_verification_status,platform_type";
const pageSize = "100";
const invalidParameter = 100;

/** The limit is the portfolio's where WhatsApp knows that field. Throws upstream_refused or upstream_unavailable. */
export async function getPhoneNumber(
  upstream: Upstream,
  phoneNumberId: string,
  signal: AbortSignal,
): Promise<GraphPhoneNumber> {
  const read = (fields: string): Promise<Called<GraphPhoneNumber>> =>
    call(upstream, { method: "GET", path: phoneNumberId, query: { fields }, signal }, phoneNumber);
  const full = await read(`${numberFields},whatsapp_business_manager_messaging_limit`);
  const isFieldUnknown = full.kind === "refused" && full.error.code === invalidParameter;
  return accepted(isFieldUnknown ? await read(numberFields) : full);
}

/** Every number of the account. Throws upstream_refused or upstream_unavailable. */
export function listPhoneNumbers(
  upstream: Upstream,
  wabaId: string,
  signal: AbortSignal,
): Promise<GraphListedNumber[]> {
  const query = { fields: `id,${numberFields}`, limit: pageSize };
  return listAll(upstream, { path: `${wabaId}/phone_numbers`, query, signal }, listedNumber);
}

/** What the number says of itself where no message is there to show it. Never throws for what the upstream does. */
export async function lookAtNumber(upstream: Upstream, phoneNumberId: string, signal: AbortSignal): Promise<Look> {
  const query = { fields: "id,status,platform_type,throughput" };
  const answer = await upstream.request({ method: "GET", path: phoneNumberId, query, signal });
  if (answer.kind !== "reply") return answer;
  const json = parseJson(answer.text);
  const result = answer.status === 200 ? numberLook.safeParse(json) : undefined;
  if (result?.success !== true) return toFailedReply(answer, json);
  return toLook(result.data);
}

export function toLook({ status, platform_type, throughput }: Omit<z.infer<typeof numberLook>, "id">): Look {
  return { kind: "read", status, platformType: platform_type, throughputLevel: throughput?.level ?? "" };
}

/** Throws what RegisterRequest names, upstream_refused or upstream_unavailable. */
export async function register(
  upstream: Upstream,
  { phoneNumberId, pin, signal }: { phoneNumberId: string; pin: string; signal: AbortSignal },
): Promise<void> {
  const body = { messaging_product: "whatsapp", pin };
  const called = await call(upstream, { method: "POST", path: `${phoneNumberId}/register`, body, signal }, success);
  throwIfRefused(phoneNumberId, called);
}

/** Throws registration_limit, upstream_refused or upstream_unavailable. */
export async function deregister(
  upstream: Upstream,
  { phoneNumberId, signal }: { phoneNumberId: string; signal: AbortSignal },
): Promise<void> {
  const called = await call(upstream, { method: "POST", path: `${phoneNumberId}/deregister`, signal }, success);
  throwIfRefused(phoneNumberId, called);
}

const secondMs = 1_000;
const hourMs = 3_600_000;

// Too many or too quick; after how long it is worth another try [cloud-api §6.2].
const registrationPauses: ReadonlyMap<number, number> = new Map([
  [133_008, hourMs],
  [133_009, 30 * secondMs],
  [133_015, 300 * secondMs],
  [133_016, 72 * hourMs],
]);

function throwIfRefused(phoneNumberId: string, called: Called<unknown>): void {
  if (called.kind === "refused") throw registrationFault(phoneNumberId, called.error);
}

function registrationFault(phoneNumberId: string, error: GraphError): ServiceError {
  const message = `registration of number ${phoneNumberId} was refused by WhatsApp with ${inWords(error)}`;
  const retryAfterMs = registrationPauses.get(error.code);
  if (retryAfterMs !== undefined)
    return new ServiceError("RESOURCE_EXHAUSTED", "registration_limit", message, { retryAfterMs });
  if (error.code === 133_005) return new ServiceError("FAILED_PRECONDITION", "pin_wrong", message);
  if (error.code === 133_006) return new ServiceError("FAILED_PRECONDITION", "number_unverified", message);
  return new ServiceError("FAILED_PRECONDITION", "upstream_refused", message);
}

/** Throws upstream_refused or upstream_unavailable. */
export async function markRead(
  upstream: Upstream,
  {
    phoneNumberId,
    wamid,
    typing,
    signal,
  }: { phoneNumberId: string; wamid: string; typing: boolean; signal: AbortSignal },
): Promise<void> {
  const body = {
    messaging_product: "whatsapp",
    status: "read",
    message_id: wamid,
    ...(typing && { typing_indicator: { type: "text" } }),
  };
  accepted(await call(upstream, { method: "POST", path: `${phoneNumberId}/messages`, body, signal }, success));
}
