// Templates as a business manages them: POST and DELETE /{waba-id}/message_templates, POST /{template-id}, its unpause.
import { z } from "zod";
import { setTemplateStatus, tellTemplateStatus } from "../account-news.ts";
import type { GraphError } from "../domain/graph-error.ts";
import { planTemplate, templateKey } from "../domain/template.ts";
import { checkDefinition, checkTtl, refuse } from "../domain/template-definition.ts";
import { blockedUntil, decideCreate, decideEdit } from "../domain/template-review.ts";
import { planReview } from "../review.ts";
import type { Simulation } from "../simulation.ts";
import type { Account, Template } from "../store.ts";
import { categorySchema, componentsSchema, parameterFormatSchema } from "../world.ts";
import type { GraphReply, GraphRequest } from "./graph.ts";

const word = z.string().transform((text) => text.toUpperCase());

const creation = z.object({
  name: z.string().regex(/^[a-z0-9_]{1,512}$/, "must be 1 to 512 of a to z, 0 to 9 and _"),
  language: z
    .string()
    .regex(/^[a-z]{2,3}([_-][A-Za-z]{2,4})?$/, "must be a language code such as en_US")
    .transform((code) => code.replaceAll("-", "_")),
  category: word.pipe(categorySchema),
  parameter_format: word.pipe(parameterFormatSchema).default("POSITIONAL"),
  components: componentsSchema.min(1),
  message_send_ttl_seconds: z.coerce.number().int().optional(),
});

const change = z
  .object({
    category: word.pipe(categorySchema),
    components: componentsSchema.min(1),
    message_send_ttl_seconds: z.coerce.number().int(),
  })
  .partial();

const done = { success: true };

/** Answers PENDING: the decision comes by webhook. */
export function createTemplate(sim: Simulation, account: Account, { body }: GraphRequest): GraphReply {
  const parsed = creation.safeParse(body);
  if (!parsed.success) return { error: invalid(parsed.error) };
  const { parameter_format: parameterFormat, message_send_ttl_seconds: ttl, ...definition } = parsed.data;
  const at = sim.now();
  const key = templateKey(definition.name, definition.language);
  const facts = {
    creations: account.creations,
    templates: account.templates.size,
    isVerified: account.business.verificationStatus === "verified",
  };
  const error =
    checkDefinition({ ...definition, parameterFormat }) ??
    checkTtl(definition.category, ttl) ??
    checkName(account, key, at) ??
    decideCreate(facts, at);
  if (error !== undefined) return { error };
  const template: Template = {
    ...definition,
    id: sim.nextId(),
    status: "PENDING",
    rejected_reason: "NONE",
    quality_score: "UNKNOWN",
    parameter_format: parameterFormat,
    ...(ttl !== undefined && { message_send_ttl_seconds: ttl }),
    plan: planTemplate({ ...definition, parameterFormat }),
    version: 0,
    edits: [],
  };
  account.templates.set(key, template);
  account.creations = [...account.creations.filter((time) => time > at - 3_600_000), at];
  planReview(sim, account, template);
  return { body: { id: template.id, status: template.status, category: template.category } };
}

function checkName({ templates, blockedNames }: Account, key: string, at: number): GraphError | undefined {
  if (templates.has(key))
    return refuse(
      "Content in this language exists",
      "there is content in this language for this name already",
      2388024,
    );
  if ((blockedNames.get(key) ?? 0) <= at) return undefined;
  const text = "this name and language were deleted in the last 30 days";
  return refuse("Message template is being deleted", text, 2388023);
}

/** What is named replaces what it had, and is reviewed. */
export function editTemplate(
  sim: Simulation,
  account: Account,
  template: Template,
  { body }: GraphRequest,
): GraphReply {
  const parsed = change.safeParse(body);
  if (!parsed.success) return { error: invalid(parsed.error) };
  const { category = template.category, components, message_send_ttl_seconds: ttl } = parsed.data;
  const changesCategory = category !== template.category;
  const invalidTtl = checkTtl(category, ttl);
  if (invalidTtl !== undefined) return { error: invalidTtl };
  if (components === undefined && !changesCategory) return keepTtl(template, ttl);
  const at = sim.now();
  const definition = { category, components: components ?? template.components };
  const parameterFormat = template.parameter_format;
  const error = decideEdit(template, { changesCategory }, at) ?? checkDefinition({ ...definition, parameterFormat });
  if (error !== undefined) return { error };
  if (template.status === "APPROVED") template.edits.push(at);
  Object.assign(template, definition, { plan: planTemplate({ ...definition, parameterFormat }) });
  template.version += 1;
  setTemplateStatus(sim, account, template, { status: "PENDING", reason: "NONE" });
  planReview(sim, account, template);
  return keepTtl(template, ttl);
}

function keepTtl(template: Template, ttl: number | undefined): GraphReply {
  if (ttl !== undefined) template.message_send_ttl_seconds = ttl;
  return { body: done };
}

/** By `name` every language, by `hsm_id` with `name` that one. */
export function deleteTemplates(sim: Simulation, account: Account, { query, body }: GraphRequest): GraphReply {
  const given = z.object({ name: z.string().optional(), hsm_id: z.string().optional() }).safeParse(body ?? {});
  const name = query.get("name") ?? given.data?.name;
  const id = query.get("hsm_id") ?? given.data?.hsm_id;
  if (name === undefined) return { error: refuse("Invalid parameter", "name is missing") };
  const found = [...account.templates].filter(
    ([, template]) => template.name === name && (id === undefined || template.id === id),
  );
  if (found.length === 0)
    return { error: refuse("Message template not found", "the account has no such template", 2593002) };
  if (found.some(([, { status }]) => status === "DISABLED"))
    return { error: refuse("Template cannot be deleted", "a disabled template stays") };
  const at = sim.now();
  for (const [key, template] of found) {
    const until = blockedUntil(template.status, at);
    if (until !== undefined) account.blockedNames.set(key, until);
    account.templates.delete(key);
    template.status = "DELETED";
    tellTemplateStatus(sim, account, template, { event: "DELETED", reason: "NONE" });
  }
  return { body: done };
}

/** Ends a pause by hand. */
export function unpauseTemplate(sim: Simulation, account: Account, template: Template): GraphReply {
  if (template.status !== "PAUSED")
    return { error: refuse("Template is not paused", `its status is ${template.status}`) };
  setTemplateStatus(sim, account, template, { status: "APPROVED", reason: "NONE" });
  return { body: done };
}

function invalid({ issues }: z.ZodError): GraphError {
  const [issue] = issues;
  const place = issue === undefined ? "" : z.core.toDotPath(issue.path);
  return { code: 100, details: `${place} ${issue?.message ?? "is not valid"}`.trim() };
}
