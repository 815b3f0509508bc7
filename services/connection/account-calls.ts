// The Graph API's calls about the business account: what WhatsApp says of it, the apps that hear of it, the token.
import { z } from "zod";
import type { GraphError } from "./domain/outcome.ts";
import { accepted, call, id, inWords, listAll, success, text } from "./graph-call.ts";
import type { Upstream } from "./upstream.ts";

const business = z.object({ id, name: text }).optional().catch(undefined);
const owner = z.object({ owner_business_info: business, on_behalf_of_business_info: business });

const healthError = z.object({
  error_code: z.int().min(0).max(4_294_967_295).catch(0),
  error_description: text,
  possible_solution: text,
});
const healthEntity = z.object({ entity_type: text, id: id.catch(""), errors: z.array(healthError).catch([]) });
const health = z
  .object({ can_send_message: text, entities: z.array(healthEntity).catch([]) })
  .optional()
  .catch(undefined);

const account = owner.extend({
  name: text,
  currency: text,
  timezone_id: text,
  message_template_namespace: text,
  business_verification_status: text,
  account_review_status: text,
  whatsapp_business_manager_messaging_limit: text,
  health_status: health,
});

export type GraphAccount = z.infer<typeof account>;

const plainFields = [
  "name",
  "currency",
  "timezone_id",
  "message_template_namespace",
  "business_verification_status",
  "account_review_status",
  "owner_business_info",
  "on_behalf_of_business_info",
];
// Some tokens and older API versions may not read these.
const furtherFields = ["health_status", "whatsapp_business_manager_messaging_limit"];

/** Throws upstream_refused or upstream_unavailable. */
export async function getAccount(upstream: Upstream, wabaId: string, signal: AbortSignal): Promise<GraphAccount> {
  const read = (fields: readonly string[]) =>
    call(upstream, { method: "GET", path: wabaId, query: { fields: fields.join(",") }, signal }, account);
  const full = await read([...plainFields, ...furtherFields]);
  return accepted(full.kind === "refused" && !isTokenRefused(full.error) ? await read(plainFields) : full);
}

/** The portfolio that owns the account, or for which it was made; empty when WhatsApp does not tell. Throws upstream_unavailable. */
export async function getBusinessId(upstream: Upstream, wabaId: string, signal: AbortSignal): Promise<string> {
  const query = { fields: "owner_business_info,on_behalf_of_business_info" };
  const found = await call(upstream, { method: "GET", path: wabaId, query, signal }, owner);
  return found.kind === "refused" ? "" : (ownerOf(found.value)?.id ?? "");
}

export function ownerOf(found: z.infer<typeof owner>): { id: string; name: string } | undefined {
  return found.owner_business_info ?? found.on_behalf_of_business_info;
}

const subscribedApp = z.object({
  whatsapp_business_api_data: z.object({ id, name: text }),
  override_callback_uri: text,
});

export type GraphApp = z.infer<typeof subscribedApp>;

/** Throws upstream_refused or upstream_unavailable. */
export function listSubscribedApps(upstream: Upstream, wabaId: string, signal: AbortSignal): Promise<GraphApp[]> {
  return listAll(upstream, { path: `${wabaId}/subscribed_apps`, query: {}, signal }, subscribedApp);
}

/** Takes away the account's own callback URL, if it has one. Throws upstream_refused or upstream_unavailable. */
export async function subscribeApp(upstream: Upstream, wabaId: string, signal: AbortSignal): Promise<void> {
  const path = `${wabaId}/subscribed_apps`;
  accepted(await call(upstream, { method: "POST", path, body: {}, signal }, success));
}

/** Throws upstream_refused or upstream_unavailable. */
export async function unsubscribeApp(upstream: Upstream, wabaId: string, signal: AbortSignal): Promise<void> {
  accepted(await call(upstream, { method: "DELETE", path: `${wabaId}/subscribed_apps`, signal }, success));
}

const tokenError = z.object({ message: text }).optional().catch(undefined);
const inspection = z.object({
  data: z.object({
    is_valid: z.boolean(),
    // Seconds since 1970; 0: never.
    expires_at: z.number().catch(0),
    app_id: id.catch(""),
    application: text,
    scopes: z.array(z.string()).catch([]),
    error: tokenError,
  }),
});

export type TokenFacts = {
  isValid: boolean;
  /** For people; empty while it is valid. */
  problem: string;
  /** Undefined unless the token could be looked into. */
  inspected: { expiresAt: Date | undefined; appId: string; appName: string; scopes: string[] } | undefined;
};

/** Looks into the token with itself; where that is not allowed, tries it on the account. Throws upstream_unavailable. */
export async function checkToken(
  upstream: Upstream,
  { wabaId, token, signal }: { wabaId: string; token: string; signal: AbortSignal },
): Promise<TokenFacts> {
  const query = { input_token: token };
  const looked = await call(upstream, { method: "GET", path: "debug_token", query, signal }, inspection);
  if (looked.kind === "accepted") return toTokenFacts(looked.value.data);
  if (isTokenRefused(looked.error)) return refusedToken(looked.error);
  const tried = await call(
    upstream,
    { method: "GET", path: wabaId, query: { fields: "id" }, signal },
    z.object({ id }),
  );
  if (tried.kind === "refused") return refusedToken(tried.error);
  return { isValid: true, problem: "", inspected: undefined };
}

function toTokenFacts({ is_valid, expires_at, app_id, application, scopes, error }: Inspected): TokenFacts {
  return {
    isValid: is_valid,
    problem: is_valid ? "" : error?.message || "WhatsApp says that the token is not valid",
    inspected: {
      expiresAt: expires_at > 0 ? new Date(expires_at * 1_000) : undefined,
      appId: app_id,
      appName: application,
      scopes,
    },
  };
}

type Inspected = z.infer<typeof inspection>["data"];

function refusedToken(error: GraphError): TokenFacts {
  return { isValid: false, problem: `WhatsApp refused it with ${inWords(error)}`, inspected: undefined };
}

function isTokenRefused({ code }: GraphError): boolean {
  return code === 0 || code === 104 || code === 190;
}
