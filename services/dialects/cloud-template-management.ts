// Templates as the Cloud API's management calls write them, and as the templates service knows them.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { z } from "zod";
import type { Template, TemplateSchema } from "#proto/heliograph/templates/v1/templates_pb.ts";

const components = z
  .array(z.looseObject({ type: z.string("must be a text") }), "must be a list")
  .min(1, "must not be empty");
const ttl = z.int32("must be a whole number of seconds").optional();
const creation = z.object({
  name: z.string("must be a text").regex(/^[a-z0-9_]{1,512}$/, "must be 1 to 512 of a to z, 0 to 9 and _"),
  language: z.string("must be a language code such as en_US").min(2, "must be a language code such as en_US"),
  category: z.string("must be MARKETING, UTILITY or AUTHENTICATION"),
  parameter_format: z.string("must be POSITIONAL or NAMED").optional(),
  components,
  message_send_ttl_seconds: ttl,
});
const change = z.object({
  category: z.string("must be a category").optional(),
  components: components.optional(),
  message_send_ttl_seconds: ttl,
});

export type ParsedTemplate =
  | { kind: "template"; template: MessageInitShape<typeof TemplateSchema> }
  | { kind: "refusal"; details: string };

/** Keys that we do not know are left out. */
export function parseNewTemplate(json: unknown): ParsedTemplate {
  const parsed = creation.safeParse(json);
  if (!parsed.success) return refusal(parsed.error);
  const { name, language, category, parameter_format: parameterFormat = "", components: parts } = parsed.data;
  const componentsJson = toBytes(parts);
  return {
    kind: "template",
    template: { name, language, category, parameterFormat, componentsJson, ...toTtl(parsed.data) },
  };
}

/** What is not named stays. */
export function parseTemplateChange(json: unknown): ParsedTemplate {
  const parsed = change.safeParse(json);
  if (!parsed.success) return refusal(parsed.error);
  const { category = "", components: parts } = parsed.data;
  return {
    kind: "template",
    template: { category, ...(parts !== undefined && { componentsJson: toBytes(parts) }), ...toTtl(parsed.data) },
  };
}

function toTtl({ message_send_ttl_seconds: seconds }: { message_send_ttl_seconds?: number | undefined }) {
  return seconds === undefined ? {} : { messageSendTtlSeconds: seconds };
}

function toBytes(parts: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(parts));
}

function refusal({ issues }: z.ZodError): ParsedTemplate {
  const [issue] = issues;
  const place = issue === undefined || issue.path.length === 0 ? "body" : issue.path.map(String).join(".");
  return { kind: "refusal", details: `${place} ${issue?.message ?? "is not valid"}` };
}

/** One entry of the list. */
export function toTemplateJson(template: Template): Record<string, unknown> {
  return {
    name: template.name,
    parameter_format: template.parameterFormat,
    components: parseComponents(template.componentsJson),
    language: template.language,
    status: template.status,
    category: template.category,
    id: template.templateId,
    rejected_reason: template.rejectedReason || "NONE",
    quality_score: { score: template.quality },
    ...(template.messageSendTtlSeconds !== undefined && { message_send_ttl_seconds: template.messageSendTtlSeconds }),
  };
}

function parseComponents(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return [];
  }
}
