// Proto of the changes to checked input, verdicts and differences to proto and faults.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ServiceError } from "#lib/errors.ts";
import type { GetTemplateResponseSchema, Template, TemplateKey } from "#proto/heliograph/templates/v1/templates_pb.ts";
import type { ChangeRefusal, ChangeVerdict } from "./domain/change.ts";
import type { Declaration, Difference } from "./domain/difference.ts";
import type { AccountTemplateKey, StoredTemplate } from "./store.ts";
import { parseFilled, parseJson, toLanguage, toTemplate } from "./wire.ts";

export type NewTemplate = AccountTemplateKey & {
  category: string;
  parameterFormat: string;
  componentsJson: string;
  messageSendTtlSeconds: number | undefined;
};

/** What stays is empty or undefined. */
export type TemplateChange = { category: string; componentsJson: string; messageSendTtlSeconds: number | undefined };

/** Throws INVALID_ARGUMENT. */
export function parseNewTemplate(template: Template | undefined): NewTemplate {
  const { wabaId = "", name = "", language = "", category = "", parameterFormat = "" } = template ?? {};
  const filled = parseFilled({ wabaId, name, language, category });
  const componentsJson = parseComponents(template?.componentsJson);
  if (componentsJson === "") throw invalid(`template ${name} has no components`);
  return {
    ...filled,
    language: toLanguage(language),
    category: category.toUpperCase(),
    parameterFormat: parameterFormat.toUpperCase() || "POSITIONAL",
    componentsJson,
    messageSendTtlSeconds: template?.messageSendTtlSeconds,
  };
}

/** Throws INVALID_ARGUMENT if nothing is to change. */
export function parseChange(template: Template | undefined): TemplateChange {
  const category = template?.category.toUpperCase() ?? "";
  const componentsJson = parseComponents(template?.componentsJson);
  const messageSendTtlSeconds = template?.messageSendTtlSeconds;
  if (category === "" && componentsJson === "" && messageSendTtlSeconds === undefined)
    throw invalid("neither category nor components nor message_send_ttl_seconds are given");
  return { category, componentsJson, messageSendTtlSeconds };
}

/** Throws INVALID_ARGUMENT. An empty language is allowed where `language` says so. */
export function parseKey(
  key: Pick<TemplateKey, "wabaId" | "name" | "language"> | undefined,
  language: "needed" | "optional",
): AccountTemplateKey {
  const { wabaId = "", name = "", language: given = "" } = key ?? {};
  const filled = parseFilled({ wabaId, name, ...(language === "needed" && { language: given }) });
  return { ...filled, language: toLanguage(given) };
}

function parseComponents(bytes: Uint8Array | undefined): string {
  const text = new TextDecoder().decode(bytes);
  if (text === "") return "";
  if (!Array.isArray(parseJson(text)) || text.includes("\0")) throw invalid("components_json is no JSON array");
  return text;
}

function invalid(message: string): ServiceError {
  return new ServiceError("INVALID_ARGUMENT", "template_invalid", message);
}

const codes = {
  template_exists: "ALREADY_EXISTS",
  template_missing: "NOT_FOUND",
  template_not_editable: "FAILED_PRECONDITION",
  template_edit_limit: "RESOURCE_EXHAUSTED",
  template_not_deletable: "FAILED_PRECONDITION",
} as const satisfies Record<ChangeRefusal["refused"], string>;

export function changeFault({ name, language }: AccountTemplateKey, refusal: ChangeRefusal, now: Date): ServiceError {
  const what = language === "" ? `template ${name}` : `template ${name} in ${language}`;
  const retryAfterMs = refusal.until === undefined ? undefined : refusal.until.getTime() - now.getTime();
  return new ServiceError(codes[refusal.refused], refusal.refused, `${what} ${refusal.details}`, { retryAfterMs });
}

export function toDeclaration(template: Template | undefined): Declaration {
  const { category = "", parameterFormat = "", componentsJson, messageSendTtlSeconds } = template ?? {};
  const text = parseComponents(componentsJson);
  const components = text === "" ? undefined : parseJson(text);
  return { category, parameterFormat, components, messageSendTtlSeconds };
}

export function toObserved(template: StoredTemplate): Declaration {
  const { category, parameterFormat, componentsJson, messageSendTtlSeconds } = template;
  return { category, parameterFormat, components: parseJson(componentsJson), messageSendTtlSeconds };
}

export function toGetResponse(
  template: StoredTemplate,
  differences: Difference[],
  verdict: ChangeVerdict,
): MessageInitShape<typeof GetTemplateResponseSchema> {
  return {
    template: toTemplate(template),
    differences,
    editable: verdict === undefined,
    notEditableBecause: verdict === undefined ? "" : `it ${verdict.details}`,
    ...(verdict?.until !== undefined && { editableAt: timestampFromDate(verdict.until) }),
  };
}
