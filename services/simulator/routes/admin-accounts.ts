// /admin/numbers and /admin/templates: what WhatsApp decides about them, with the webhooks that tell the business.
import { z } from "zod";
import {
  numberNews,
  type NumberFacts,
  templateCategoryNews,
  templateQualityNews,
  templateStatusNews,
} from "../domain/account-webhook.ts";
import { planTemplate } from "../domain/template.ts";
import { accountChange } from "../domain/webhook-body.ts";
import type { Simulation } from "../simulation.ts";
import { type Account, loadNumber, type PhoneNumber, type Template } from "../store.ts";
import { categorySchema, qualitySchema, tierSchema } from "../world.ts";
import { type AdminReply, type AdminRequest, invalid, missing, ok } from "./admin.ts";

function describeNumber({ account, chats: _chats, throughput: _bucket, ...number }: PhoneNumber): object {
  return { ...number, messagingLimitTier: account.business.messagingLimitTier };
}

export function listNumbers({ store }: Simulation): AdminReply {
  return ok({ numbers: Array.from(store.numbers.values(), describeNumber) });
}

const numberPatch = z
  .strictObject({
    quality: qualitySchema,
    /** Of the business that owns the number, so of all its numbers. */
    tier: tierSchema,
    status: z.enum([
      "CONNECTED",
      "FLAGGED",
      "RESTRICTED",
      "BANNED",
      "DISCONNECTED",
      "PENDING",
      "RATE_LIMITED",
      "MIGRATED",
    ]),
    /** False: registered elsewhere; sends answer 133010. Makes no webhook. */
    registered: z.boolean(),
    verifiedName: z.string().min(1),
    throughputLevel: z.enum(["STANDARD", "HIGH", "NOT_APPLICABLE"]),
  })
  .partial();

export function changeNumber(sim: Simulation, { body }: AdminRequest, name: string): AdminReply {
  const number = loadNumber(sim.store, name.replace(/\D/g, ""));
  if (number === undefined) return missing(`number ${name}`);
  const parsed = numberPatch.safeParse(body);
  if (!parsed.success) return invalid(parsed.error);
  const { quality, tier, status, registered, verifiedName, throughputLevel } = parsed.data;
  const before = factsOf(number);
  const { business } = number.account;
  number.qualityRating = quality ?? number.qualityRating;
  business.messagingLimitTier = tier ?? business.messagingLimitTier;
  number.status = status ?? number.status;
  number.registered = registered ?? number.registered;
  number.verifiedName = verifiedName ?? number.verifiedName;
  number.throughputLevel = throughputLevel ?? number.throughputLevel;
  for (const { field, value } of numberNews(number.displayPhoneNumber, before, factsOf(number))) {
    const accounts = field === "business_capability_update" ? business.accounts : [number.account];
    for (const account of accounts) publish(sim, account, field, value);
  }
  return ok(describeNumber(number));
}

function factsOf({ qualityRating, status, throughputLevel, account }: PhoneNumber): NumberFacts {
  return { qualityRating, status, throughputLevel, messagingLimitTier: account.business.messagingLimitTier };
}

function publish({ callbacks, now }: Simulation, account: Account, field: string, value: string): void {
  callbacks.publish(accountChange(account.id, field, now(), value), account, "");
}

function describeTemplate(account: Account, { plan: _plan, ...template }: Template): object {
  return { wabaId: account.id, ...template };
}

export function listTemplates({ store }: Simulation): AdminReply {
  const templates = [...store.accounts.values()].flatMap((account) =>
    Array.from(account.templates.values(), (template) => describeTemplate(account, template)),
  );
  return ok({ templates });
}

const templatePatch = z
  .strictObject({
    status: z.string().regex(/^[A-Z_]+$/),
    /** Of the status. */
    reason: z.string(),
    quality: qualitySchema,
    category: categorySchema,
  })
  .partial();

/** `?language=` where the name has several, `?waba=` where several accounts have it. */
export function changeTemplate(sim: Simulation, { body, query }: AdminRequest, name: string): AdminReply {
  const found = findTemplates(sim, name, query);
  const [first, second] = found;
  if (first === undefined) return missing(`template ${name}`);
  if (second !== undefined)
    return { status: 400, body: { error: `template ${name} is not unique; add ?language= or ?waba=` } };
  const parsed = templatePatch.safeParse(body);
  if (!parsed.success) return invalid(parsed.error);
  const { account, template } = first;
  const { status, reason = "NONE", quality, category } = parsed.data;
  const { id: templateId, name: templateName, language } = template;
  const subject = { templateId, name: templateName, language };
  if (category !== undefined && category !== template.category) {
    const { field, value } = templateCategoryNews(subject, template.category, category);
    template.category = category;
    template.plan = planTemplate({ ...template, parameterFormat: template.parameter_format });
    publish(sim, account, field, value);
  }
  if (quality !== undefined && quality !== template.quality_score) {
    const { field, value } = templateQualityNews(subject, template.quality_score, quality);
    template.quality_score = quality;
    publish(sim, account, field, value);
  }
  if (status !== undefined && status !== template.status) {
    template.status = status;
    template.rejected_reason = status === "REJECTED" ? reason : "NONE";
    const { field, value } = templateStatusNews({ ...subject, category: template.category }, status, reason);
    publish(sim, account, field, value);
  }
  return ok(describeTemplate(account, template));
}

function findTemplates(
  { store }: Simulation,
  name: string,
  query: URLSearchParams,
): { account: Account; template: Template }[] {
  const waba = query.get("waba");
  const language = query.get("language")?.replaceAll("-", "_");
  return [...store.accounts.values()]
    .filter(({ id }) => waba === null || id === waba)
    .flatMap((account) => Array.from(account.templates.values(), (template) => ({ account, template })))
    .filter(({ template }) => template.name === name && (language === undefined || template.language === language));
}
