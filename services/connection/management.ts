// The Graph API's calls that are not messages: templates of the account, facts of the number, marking as read.
import { z } from "zod";
import { ServiceError } from "#lib/errors.ts";
import type { GraphError, Look } from "./domain/outcome.ts";
import { parseError, parseJson, toFailedReply } from "./graph.ts";
import type { Upstream } from "./upstream.ts";

const text = z.string().catch("");
// Ids are decimal texts, in places numbers.
const id = z.union([z.string(), z.int().transform(String)]);

const template = z.object({
  id,
  name: z.string(),
  language: z.string(),
  status: text,
  category: text,
  quality_score: z.object({ score: text }).optional().catch(undefined),
  parameter_format: text,
  components: z.array(z.unknown()).catch([]),
  rejected_reason: text,
});

const templatePage = z.object({
  data: z.array(template),
  paging: z
    .object({ cursors: z.object({ after: z.string() }).optional(), next: z.string().optional() })
    .optional()
    .catch(undefined),
});

const phoneNumber = z.object({
  display_phone_number: text,
  verified_name: text,
  status: text,
  quality_rating: text,
  messaging_limit_tier: text,
  whatsapp_business_manager_messaging_limit: text,
  throughput: z.object({ level: text }).optional().catch(undefined),
  name_status: text,
});

const numberLook = phoneNumber.pick({ status: true, throughput: true }).extend({ id });

const business = z.object({ id }).optional().catch(undefined);
const account = z.object({ owner_business_info: business, on_behalf_of_business_info: business });

export type GraphTemplate = z.infer<typeof template>;
export type GraphPhoneNumber = z.infer<typeof phoneNumber>;

const templateFields = "id,name,language,status,category,quality_score,parameter_format,components,rejected_reason";
const numberFields =
  "display_phone_number,verified_name,status,quality_rating,messaging_limit_tier,throughput,name_status";
const pageSize = 100;
const mostPages = 200;
const invalidParameter = 100;

type Call = {
  method: "GET" | "POST";
  path: string;
  query?: Record<string, string>;
  body?: unknown;
  signal: AbortSignal;
};

/** Every page. Throws upstream_refused or upstream_unavailable. */
export async function listTemplates(upstream: Upstream, wabaId: string, signal: AbortSignal): Promise<GraphTemplate[]> {
  const templates: GraphTemplate[] = [];
  let after: string | undefined;
  for (let pages = 0; pages < mostPages; pages += 1) {
    const query = { fields: templateFields, limit: String(pageSize), ...(after !== undefined && { after }) };
    const path = `${wabaId}/message_templates`;
    const { data, paging } = accepted(await call(upstream, { method: "GET", path, query, signal }, templatePage));
    templates.push(...data);
    after = paging?.cursors?.after;
    // The cursor alone is used: `next` is an address that would be given our token.
    if (paging?.next === undefined || after === undefined) return templates;
  }
  throw unavailable(`account ${wabaId} has more than ${mostPages} pages of templates`, undefined);
}

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

/** What the number says of itself where no message is there to show it. Never throws for what the upstream does. */
export async function lookAtNumber(upstream: Upstream, phoneNumberId: string, signal: AbortSignal): Promise<Look> {
  const query = { fields: "id,status,throughput" };
  const answer = await upstream.request({ method: "GET", path: phoneNumberId, query, signal });
  if (answer.kind !== "reply") return answer;
  const json = parseJson(answer.text);
  const result = answer.status === 200 ? numberLook.safeParse(json) : undefined;
  if (result?.success !== true) return toFailedReply(answer, json);
  return { kind: "read", status: result.data.status, throughputLevel: result.data.throughput?.level ?? "" };
}

/** The portfolio that owns the account, or for which it was made; empty when WhatsApp does not tell. Throws upstream_unavailable. */
export async function getBusinessId(upstream: Upstream, wabaId: string, signal: AbortSignal): Promise<string> {
  const query = { fields: "owner_business_info,on_behalf_of_business_info" };
  const owner = await call(upstream, { method: "GET", path: wabaId, query, signal }, account);
  if (owner.kind === "refused") return "";
  return owner.value.owner_business_info?.id ?? owner.value.on_behalf_of_business_info?.id ?? "";
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
  const success = z.object({ success: z.literal(true) });
  accepted(await call(upstream, { method: "POST", path: `${phoneNumberId}/messages`, body, signal }, success));
}

type Called<T> = { kind: "accepted"; value: T } | { kind: "refused"; error: GraphError };

async function call<Schema extends z.ZodType>(
  upstream: Upstream,
  request: Call,
  schema: Schema,
): Promise<Called<z.output<Schema>>> {
  const answer = await upstream.request(request);
  if (answer.kind !== "reply") throw unavailable(`${request.path} was not answered`, answer.error);
  const json = parseJson(answer.text);
  const error = parseError(json);
  if (error !== undefined && answer.status < 500) return { kind: "refused", error };
  const result = schema.safeParse(json);
  if (answer.status < 200 || answer.status > 299 || !result.success) {
    throw unavailable(
      `${request.path} was answered by HTTP ${answer.status} with a body that is not understood`,
      result.error,
    );
  }
  return { kind: "accepted", value: result.data };
}

function accepted<T>(called: Called<T>): T {
  if (called.kind === "accepted") return called.value;
  const { code, message, details } = called.error;
  const text = `WhatsApp refused with code ${code}: ${[message, details].filter((part) => part !== "").join("; ")}`;
  throw new ServiceError("FAILED_PRECONDITION", "upstream_refused", text);
}

function unavailable(what: string, cause: unknown): ServiceError {
  return new ServiceError("UNAVAILABLE", "upstream_unavailable", `upstream is unavailable: ${what}`, { cause });
}
