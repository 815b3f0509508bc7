// The Graph API's calls about the account's templates.
import { z } from "zod";
import { accepted, call, id, listAll, success, text } from "./graph-call.ts";
import type { Upstream } from "./upstream.ts";

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
  message_send_ttl_seconds: z.int32().optional().catch(undefined),
});

const created = z.object({ id, status: text, category: text });

export type GraphTemplate = z.infer<typeof template>;
type CreatedTemplate = z.infer<typeof created>;

const fields =
  "id,name,language,status,category,quality_score,parameter_format,components,rejected_reason,message_send_ttl_seconds";
const pageSize = "100";

/** Every page. Throws upstream_refused or upstream_unavailable. */
export function listTemplates(upstream: Upstream, wabaId: string, signal: AbortSignal): Promise<GraphTemplate[]> {
  return listAll(
    upstream,
    { path: `${wabaId}/message_templates`, query: { fields, limit: pageSize }, signal },
    template,
  );
}

export type NewTemplate = {
  name: string;
  language: string;
  category: string;
  parameterFormat: string;
  components: unknown[];
  /** Undefined: WhatsApp's default. */
  messageSendTtlSeconds: number | undefined;
};

/** Throws upstream_refused or upstream_unavailable. */
export async function createTemplate(
  upstream: Upstream,
  wabaId: string,
  { name, language, category, parameterFormat, components, messageSendTtlSeconds }: NewTemplate,
  signal: AbortSignal,
): Promise<CreatedTemplate> {
  const body = {
    name,
    language,
    category,
    ...(parameterFormat !== "" && { parameter_format: parameterFormat }),
    components,
    ...(messageSendTtlSeconds !== undefined && { message_send_ttl_seconds: messageSendTtlSeconds }),
  };
  return accepted(await call(upstream, { method: "POST", path: `${wabaId}/message_templates`, body, signal }, created));
}

/** What is empty or undefined stays. */
export type TemplateChange = {
  category: string;
  components: unknown[] | undefined;
  messageSendTtlSeconds: number | undefined;
};

/** Throws upstream_refused or upstream_unavailable. */
export async function editTemplate(
  upstream: Upstream,
  templateId: string,
  { category, components, messageSendTtlSeconds }: TemplateChange,
  signal: AbortSignal,
): Promise<void> {
  const body = {
    ...(category !== "" && { category }),
    ...(components !== undefined && { components }),
    ...(messageSendTtlSeconds !== undefined && { message_send_ttl_seconds: messageSendTtlSeconds }),
  };
  accepted(await call(upstream, { method: "POST", path: templateId, body, signal }, success));
}

/** Without an id, every language of the name. Throws upstream_refused or upstream_unavailable. */
export async function deleteTemplate(
  upstream: Upstream,
  wabaId: string,
  { name, templateId }: { name: string; templateId: string },
  signal: AbortSignal,
): Promise<void> {
  const query = { name, ...(templateId !== "" && { hsm_id: templateId }) };
  accepted(await call(upstream, { method: "DELETE", path: `${wabaId}/message_templates`, query, signal }, success));
}
