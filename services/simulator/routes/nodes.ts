// GET of a node: only the fields asked for, and `id`.
import { parsePhoneNumberFromString } from "libphonenumber-js/min";
import { healthStatus } from "../domain/health.ts";
import type { Account, Business, PhoneNumber, Template } from "../store.ts";
import type { GraphReply } from "./graph.ts";

/** Every field of a node by its name; undefined is left out of the answer, as Graph leaves out what is empty. */
export type Fields = Record<string, unknown>;

export function numberFields(number: PhoneNumber, appId: string): Fields {
  const { displayPhoneNumber: digits, account } = number;
  const tier = account.business.messagingLimitTier;
  return {
    id: number.phoneNumberId,
    display_phone_number: parsePhoneNumberFromString(`+${digits}`)?.formatInternational() ?? `+${digits}`,
    verified_name: number.verifiedName,
    name_status: number.nameStatus,
    new_name_status: "NONE",
    status: statusOf(number),
    quality_rating: number.qualityRating,
    quality_score: { score: number.qualityRating },
    code_verification_status: number.codeVerificationStatus,
    messaging_limit_tier: tier,
    whatsapp_business_manager_messaging_limit: tier,
    throughput: { level: number.throughputLevel },
    platform_type: platformOf(number),
    host_platform: platformOf(number),
    account_mode: number.allowedRecipients === undefined ? "LIVE" : "SANDBOX",
    is_official_business_account: false,
    is_pin_enabled: number.registration.pin !== undefined,
    is_on_biz_app: false,
    search_visibility: "VISIBLE",
    webhook_configuration:
      account.overrideUrl === undefined ? undefined : { whatsapp_business_account: account.overrideUrl },
    health_status: healthStatus({
      ...healthFacts(account, appId),
      number: { phoneNumberId: number.phoneNumberId, isRegistered: number.registered },
    }),
  };
}

function platformOf({ registered, onPremises }: PhoneNumber): string {
  if (onPremises) return "ON_PREMISE";
  return registered ? "CLOUD_API" : "NOT_APPLICABLE";
}

/** PENDING before its code was entered, DISCONNECTED while nobody has registered it. */
function statusOf({ registered, codeVerificationStatus, status }: PhoneNumber): string {
  if (registered) return status;
  return codeVerificationStatus === "VERIFIED" ? "DISCONNECTED" : "PENDING";
}

function healthFacts({ id, business, payment, reviewStatus }: Account, appId: string) {
  return {
    appId,
    businessId: business.id,
    wabaId: id,
    isVerified: business.verificationStatus === "verified",
    hasPayment: payment === "ok",
    reviewStatus,
  };
}

export const numberDefaults = [
  "verified_name",
  "code_verification_status",
  "display_phone_number",
  "quality_rating",
  "platform_type",
  "throughput",
  "webhook_configuration",
];

export function templateFields(template: Template): Fields {
  return {
    id: template.id,
    name: template.name,
    parameter_format: template.parameter_format,
    components: template.components,
    language: template.language,
    status: template.status,
    category: template.category,
    rejected_reason: template.rejected_reason,
    quality_score: { score: template.quality_score },
    message_send_ttl_seconds: template.message_send_ttl_seconds,
    previous_category: undefined,
    sub_category: undefined,
    correct_category: undefined,
    library_template_name: undefined,
    source: undefined,
    cta_url_link_tracking_opted_out: undefined,
  };
}

export const templateDefaults = ["name", "parameter_format", "components", "language", "status", "category"];

export function readNumber(number: PhoneNumber, query: URLSearchParams, appId: string): GraphReply {
  return select(numberFields(number, appId), query, numberDefaults);
}

export function readTemplate(template: Template, query: URLSearchParams): GraphReply {
  return select(templateFields(template), query, templateDefaults);
}

export function readAccount(account: Account, query: URLSearchParams, appId: string): GraphReply {
  const { business } = account;
  const owner = { id: business.id, name: business.name };
  const fields: Fields = {
    id: account.id,
    name: account.name,
    currency: account.currency,
    timezone_id: account.timezoneId,
    message_template_namespace: `ns_${account.id}`,
    country: undefined,
    status: "ACTIVE",
    account_review_status: account.reviewStatus,
    business_verification_status: business.verificationStatus,
    ownership_type: "SELF",
    on_behalf_of_business_info: undefined,
    owner_business_info: owner,
    owner_business: owner,
    primary_business_location: undefined,
    is_enabled_for_insights: false,
    whatsapp_business_manager_messaging_limit: business.messagingLimitTier,
    health_status: healthStatus(healthFacts(account, appId)),
  };
  return select(fields, query, ["name", "currency", "timezone_id", "message_template_namespace"]);
}

export function readBusiness(business: Business, query: URLSearchParams): GraphReply {
  const fields: Fields = {
    id: business.id,
    name: business.name,
    verification_status: business.verificationStatus,
    whatsapp_business_manager_messaging_limit: business.messagingLimitTier,
  };
  return select(fields, query, ["name"]);
}

/** The fields that the query asks for; Graph refuses a name that the node does not have. */
export function select(fields: Fields, query: URLSearchParams, defaults: readonly string[]): GraphReply {
  const asked = query.get("fields");
  const names = asked === null || asked === "" ? defaults : fieldNames(asked);
  const unknown = names.find((name) => !Object.hasOwn(fields, name));
  if (unknown !== undefined) {
    return { error: { code: 100, message: `(#100) Tried accessing nonexisting field (${unknown})` } };
  }
  const body = Object.fromEntries(names.map((name) => [name, fields[name]]));
  return { body: { ...body, id: fields["id"] } };
}

/** Names at the top level of `a,b{c,d},e.limit(3)`. What is selected inside of a field is not looked at: all of it is given. */
function fieldNames(asked: string): string[] {
  let plain = asked;
  for (let before = ""; before !== plain;) {
    before = plain;
    plain = plain.replace(/\{[^{}]*\}|\([^()]*\)/g, "");
  }
  return plain.split(",").flatMap((name) => name.trim().replace(/\..*$/, "") || []);
}
