// The Upstream service's proto to checked input, and what the Graph API answered to proto.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ServiceError } from "#lib/errors.ts";
import type {
  CheckTokenResponseSchema,
  CreateTemplateRequest,
  EditTemplateRequest,
  GetAccountResponseSchema,
  GetPhoneNumberResponseSchema,
  SubscribedAppSchema,
  UpstreamPhoneNumberSchema,
  UpstreamTemplateSchema,
} from "#proto/heliograph/connection/v1/upstream_pb.ts";
import { type GraphAccount, type GraphApp, ownerOf, type TokenFacts } from "./account-calls.ts";
import type { GraphListedNumber, GraphPhoneNumber } from "./number-calls.ts";
import type { GraphTemplate, NewTemplate, TemplateChange } from "./template-calls.ts";

/** Throws INVALID_ARGUMENT if a value is empty. */
export function checkFilled(values: Record<string, string>): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === "") throw new ServiceError("INVALID_ARGUMENT", `${name}_missing`, `${name} is empty`);
  }
}

/** Throws pin_invalid. The PIN itself is in no text. */
export function parsePin(pin: string): string {
  if (!/^\d{6}$/.test(pin)) throw new ServiceError("INVALID_ARGUMENT", "pin_invalid", "pin must have six digits");
  return pin;
}

/** Throws INVALID_ARGUMENT. */
export function parseNewTemplate(request: CreateTemplateRequest): NewTemplate {
  const { name, language, category, parameterFormat, componentsJson, messageSendTtlSeconds } = request;
  checkFilled({ name, language, category });
  const components = parseComponents(componentsJson);
  return { name, language, category, parameterFormat, components, messageSendTtlSeconds };
}

/** Throws INVALID_ARGUMENT. */
export function parseTemplateChange(request: EditTemplateRequest): TemplateChange {
  const { templateId, category, componentsJson, messageSendTtlSeconds } = request;
  checkFilled({ template_id: templateId });
  const components = componentsJson.length === 0 ? undefined : parseComponents(componentsJson);
  if (components === undefined && category === "" && messageSendTtlSeconds === undefined)
    throw new ServiceError("INVALID_ARGUMENT", "change_missing", `edit of template ${templateId} changes nothing`);
  return { category, components, messageSendTtlSeconds };
}

function parseComponents(bytes: Uint8Array): unknown[] {
  const invalid = (cause?: unknown): ServiceError =>
    new ServiceError("INVALID_ARGUMENT", "components_invalid", "components_json must be a JSON array", { cause });
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw invalid(error);
  }
  if (!Array.isArray(parsed)) throw invalid();
  return parsed;
}

export function toUpstreamTemplate(template: GraphTemplate): MessageInitShape<typeof UpstreamTemplateSchema> {
  return {
    templateId: template.id,
    name: template.name,
    language: template.language,
    status: template.status,
    category: template.category,
    quality: template.quality_score?.score || "UNKNOWN",
    parameterFormat: template.parameter_format || "POSITIONAL",
    componentsJson: Buffer.from(JSON.stringify(template.components)),
    rejectedReason: template.rejected_reason,
    ...(template.message_send_ttl_seconds !== undefined && {
      messageSendTtlSeconds: template.message_send_ttl_seconds,
    }),
  };
}

export function toPhoneNumber(facts: GraphPhoneNumber) {
  return {
    displayPhoneNumber: facts.display_phone_number.replaceAll(/\D/g, ""),
    verifiedName: facts.verified_name,
    status: facts.status,
    qualityRating: facts.quality_rating || "UNKNOWN",
    messagingLimitTier: facts.whatsapp_business_manager_messaging_limit || facts.messaging_limit_tier,
    throughputLevel: facts.throughput?.level ?? "",
    nameStatus: facts.name_status,
    codeVerificationStatus: facts.code_verification_status,
    platformType: facts.platform_type,
  } satisfies MessageInitShape<typeof GetPhoneNumberResponseSchema>;
}

export function toListedNumber(facts: GraphListedNumber): MessageInitShape<typeof UpstreamPhoneNumberSchema> {
  return { phoneNumberId: facts.id, ...toPhoneNumber(facts) };
}

export function toAccount(wabaId: string, facts: GraphAccount): MessageInitShape<typeof GetAccountResponseSchema> {
  const owner = ownerOf(facts);
  return {
    wabaId,
    name: facts.name,
    businessId: owner?.id ?? "",
    businessName: owner?.name ?? "",
    currency: facts.currency,
    timezoneId: facts.timezone_id,
    messageTemplateNamespace: facts.message_template_namespace,
    businessVerificationStatus: facts.business_verification_status,
    accountReviewStatus: facts.account_review_status,
    messagingLimitTier: facts.whatsapp_business_manager_messaging_limit,
    canSendMessage: facts.health_status?.can_send_message ?? "",
    problems: (facts.health_status?.entities ?? []).flatMap((entity) =>
      entity.errors.map((error) => ({
        entityType: entity.entity_type,
        entityId: entity.id,
        code: error.error_code,
        description: error.error_description,
        solution: error.possible_solution,
      })),
    ),
  };
}

export function toSubscribedApp(app: GraphApp): MessageInitShape<typeof SubscribedAppSchema> {
  const { id: appId, name } = app.whatsapp_business_api_data;
  return { appId, name, overrideCallbackUri: app.override_callback_uri };
}

export function toCheckedToken({
  isValid,
  problem,
  inspected,
}: TokenFacts): MessageInitShape<typeof CheckTokenResponseSchema> {
  if (inspected === undefined) return { valid: isValid, problem, inspected: false };
  const { expiresAt, ...rest } = inspected;
  return {
    valid: isValid,
    problem,
    inspected: true,
    ...rest,
    ...(expiresAt !== undefined && { expiresAt: timestampFromDate(expiresAt) }),
  };
}
