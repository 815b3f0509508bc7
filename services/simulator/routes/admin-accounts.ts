// /admin/accounts, /admin/numbers and /admin/templates: what WhatsApp decides about them, with the webhooks that tell the business.
import { z } from "zod";
import { publishNews, setTemplateCategory, setTemplateQuality, setTemplateStatus } from "../account-news.ts";
import { numberNews, type NumberFacts } from "../domain/account-webhook.ts";
import { neverTried } from "../domain/registration.ts";
import type { Simulation } from "../simulation.ts";
import { type Account, loadNumber, type PhoneNumber, type Template } from "../store.ts";
import { categorySchema, qualitySchema, tierSchema } from "../world.ts";
import { type AdminReply, type AdminRequest, invalid, missing, ok } from "./admin.ts";

function describeNumber({ account, chats: _chats, throughput: _bucket, registration, ...number }: PhoneNumber): object {
  const { messagingLimitTier } = account.business;
  return { ...number, messagingLimitTier, hasPin: registration.pin !== undefined };
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
    /** True: connected to the On-Premises API; sends answer 133010. Makes no webhook. */
    onPremises: z.boolean(),
    /** True: sends answer 133010 though it reads CONNECTED. Makes no webhook. */
    takenElsewhere: z.boolean(),
    /** Null: two-step verification is off. Also forgets earlier tries to register. */
    pin: z
      .string()
      .regex(/^\d{6}$/)
      .nullable(),
    codeVerificationStatus: z.enum(["VERIFIED", "NOT_VERIFIED", "EXPIRED"]),
    nameStatus: z.enum(["APPROVED", "AVAILABLE_WITHOUT_REVIEW", "DECLINED", "EXPIRED", "PENDING_REVIEW", "NONE"]),
    verifiedName: z.string().min(1),
    throughputLevel: z.enum(["STANDARD", "HIGH", "NOT_APPLICABLE"]),
  })
  .partial();

export function changeNumber(sim: Simulation, { body }: AdminRequest, name: string): AdminReply {
  const number = loadNumber(sim.store, name.replace(/\D/g, ""));
  if (number === undefined) return missing(`number ${name}`);
  const parsed = numberPatch.safeParse(body);
  if (!parsed.success) return invalid(parsed.error);
  const { quality, tier, status, registered, pin, codeVerificationStatus, nameStatus } = parsed.data;
  const { verifiedName, throughputLevel, onPremises, takenElsewhere } = parsed.data;
  const before = factsOf(number);
  const { business } = number.account;
  number.qualityRating = quality ?? number.qualityRating;
  business.messagingLimitTier = tier ?? business.messagingLimitTier;
  number.status = status ?? number.status;
  number.registered = registered ?? number.registered;
  number.onPremises = onPremises ?? number.onPremises;
  number.takenElsewhere = takenElsewhere ?? number.takenElsewhere;
  number.codeVerificationStatus = codeVerificationStatus ?? number.codeVerificationStatus;
  number.nameStatus = nameStatus ?? number.nameStatus;
  if (pin !== undefined) number.registration = { ...neverTried, pin: pin ?? undefined };
  number.verifiedName = verifiedName ?? number.verifiedName;
  number.throughputLevel = throughputLevel ?? number.throughputLevel;
  for (const { field, value } of numberNews(number.displayPhoneNumber, before, factsOf(number))) {
    const accounts = field === "business_capability_update" ? business.accounts : [number.account];
    for (const account of accounts) publishNews(sim, account, field, value);
  }
  return ok(describeNumber(number));
}

function factsOf({ qualityRating, status, throughputLevel, account }: PhoneNumber): NumberFacts {
  return { qualityRating, status, throughputLevel, messagingLimitTier: account.business.messagingLimitTier };
}

const accountPatch = z
  .strictObject({
    reviewStatus: z.enum(["APPROVED", "PENDING", "REJECTED", "DEFERRED"]),
    /** Of the business that owns the account, so of all its accounts. */
    verificationStatus: z.enum(["verified", "not_verified", "pending", "rejected", "failed", "expired"]),
    payment: z.enum(["ok", "missing"]),
    /** Without a webhook, as when someone takes the subscription away. */
    subscribed: z.boolean(),
  })
  .partial();

function describeAccount({ id, name, reviewStatus, payment, subscribed, business }: Account): object {
  return { id, name, reviewStatus, payment, subscribed, verificationStatus: business.verificationStatus };
}

export function listAccounts({ store }: Simulation): AdminReply {
  return ok({ accounts: Array.from(store.accounts.values(), describeAccount) });
}

export function changeAccount(sim: Simulation, { body }: AdminRequest, name: string): AdminReply {
  const account = sim.store.accounts.get(name);
  if (account === undefined) return missing(`account ${name}`);
  const parsed = accountPatch.safeParse(body);
  if (!parsed.success) return invalid(parsed.error);
  const { reviewStatus, verificationStatus, payment, subscribed } = parsed.data;
  account.payment = payment ?? account.payment;
  account.subscribed = subscribed ?? account.subscribed;
  account.business.verificationStatus = verificationStatus ?? account.business.verificationStatus;
  if (reviewStatus !== undefined && reviewStatus !== account.reviewStatus) {
    account.reviewStatus = reviewStatus;
    publishNews(sim, account, "account_review_update", JSON.stringify({ decision: reviewStatus }));
  }
  return ok(describeAccount(account));
}

function describeTemplate(account: Account, { plan: _plan, version: _version, ...template }: Template): object {
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
  if (category !== undefined) setTemplateCategory(sim, account, template, category);
  if (quality !== undefined) setTemplateQuality(sim, account, template, quality);
  if (status !== undefined) setTemplateStatus(sim, account, template, { status, reason });
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
