// Changes of templates at WhatsApp: decided by what is known here, done by a connected number, and saved as what WhatsApp answered.
// The review's outcome comes by news; a reading of the account confirms the rest.
import { ServiceError } from "#lib/errors.ts";
import { type Pool, type Queryable, transaction } from "#lib/postgres.ts";
import { insertAccounts, lockAccounts, markChanged } from "./account-store.ts";
import type { AccountUpstream, Ask } from "./account-upstream.ts";
import { type ChangeVerdict, decideCreate, decideDelete, decideEdit, editsAfter, isPresent } from "./domain/change.ts";
import { dueAfterChange } from "./domain/schedule.ts";
import { afterCreation, afterEdit } from "./domain/state.ts";
import { toldAt } from "./domain/sync.ts";
import {
  type AccountTemplateKey,
  loadTemplates,
  loadTemplatesByKey,
  lockReviews,
  saveEdits,
  saveReviews,
  type StoredTemplate,
  upsertTemplates,
} from "./store.ts";
import { changeFault, type NewTemplate, type TemplateChange } from "./wire-changes.ts";

type Dependencies = {
  db: Pool;
  upstream: AccountUpstream;
  now: () => Date;
  /** An account is due to be read. */
  onDue: () => void;
};

export type Changes = {
  create(template: NewTemplate): Promise<StoredTemplate>;
  edit(template: StoredTemplate, change: TemplateChange): Promise<StoredTemplate>;
  /** Every language where the key names none. */
  remove(key: AccountTemplateKey): Promise<void>;
};

// WhatsApp checks a template for some seconds before it answers.
const changeDeadlineMs = 35_000;

export function templateChanges(dependencies: Dependencies): Changes {
  return {
    create: (template) => create(dependencies, template),
    edit: (template, change) => edit(dependencies, template, change),
    remove: (key) => remove(dependencies, key),
  };
}

async function create(dependencies: Dependencies, template: NewTemplate): Promise<StoredTemplate> {
  const { db, now } = dependencies;
  const { wabaId, name, language, category, parameterFormat, componentsJson, messageSendTtlSeconds } = template;
  const [known] = await loadTemplatesByKey(db, [template]);
  throwIfRefused(template, decideCreate(known?.status), now());
  const at = now();
  const request = {
    name,
    language,
    category,
    parameterFormat,
    componentsJson: Buffer.from(componentsJson),
    ...(messageSendTtlSeconds !== undefined && { messageSendTtlSeconds }),
  };
  const made = await ask(dependencies, wabaId, (number, options) => number.createTemplate(request, options));
  const values = {
    status: made.status || "PENDING",
    category: made.category || category,
    quality: "UNKNOWN",
    rejectedReason: "NONE",
  };
  const { templateId } = made;
  const created = toldAt(values, at);
  await settle(dependencies, wabaId, async (tx) => {
    const [locked] = await lockReviews(tx, [template]);
    const review = locked === undefined ? created : afterCreation(locked.review, created);
    const row = { name, language, templateId, parameterFormat, componentsJson, messageSendTtlSeconds, review };
    await upsertTemplates(tx, wabaId, [row]);
    await saveEdits(tx, template, []);
  });
  return getTemplate(db, template);
}

async function edit(
  dependencies: Dependencies,
  template: StoredTemplate,
  change: TemplateChange,
): Promise<StoredTemplate> {
  const { db, now } = dependencies;
  const { wabaId, templateId } = template;
  const { category, componentsJson, messageSendTtlSeconds } = change;
  throwIfRefused(template, decideEdit(template, { category }, now()), now());
  const at = now();
  const request = {
    templateId,
    category,
    componentsJson: Buffer.from(componentsJson),
    ...(messageSendTtlSeconds !== undefined && { messageSendTtlSeconds }),
  };
  await ask(dependencies, wabaId, (number, options) => number.editTemplate(request, options));
  await settle(dependencies, wabaId, (tx) => saveEdited(tx, template, change, at));
  return getTemplate(db, template);
}

async function remove(dependencies: Dependencies, key: AccountTemplateKey): Promise<void> {
  const { db, now } = dependencies;
  const { wabaId, name, language } = key;
  const found = await loadTemplates(db, { wabaId, name, status: "" });
  const present = found.filter((one) => isPresent(one.status) && (language === "" || one.language === language));
  const [first] = present;
  if (first === undefined) throwIfRefused(key, decideDelete(undefined), now());
  for (const template of present) throwIfRefused(template, decideDelete(template.status), now());
  const at = now();
  const templateId = language === "" ? "" : (first?.templateId ?? "");
  await ask(dependencies, wabaId, (number, options) => number.deleteTemplate({ name, templateId }, options));
  await settle(dependencies, wabaId, (tx) => saveDeleted(tx, present, at));
}

/** The account is read soon, whatever became of the change: after a lost answer nobody knows. */
async function settle(
  { db, now, onDue }: Dependencies,
  wabaId: string,
  save: (tx: Queryable) => Promise<void>,
): Promise<void> {
  await transaction(db, async (tx) => {
    const at = now();
    await insertAccounts(tx, [wabaId], dueAfterChange(undefined, undefined, at));
    const [account] = await lockAccounts(tx, [wabaId]);
    const dueAt = dueAfterChange(account?.syncedAt, account?.syncDueAt, at);
    await save(tx);
    await markChanged(tx, { wabaId, changedAt: at, dueAt });
  });
  onDue();
}

async function ask<T>(dependencies: Dependencies, wabaId: string, call: Ask<T>): Promise<T> {
  try {
    return await dependencies.upstream.change(wabaId, { deadlineMs: changeDeadlineMs, signal: undefined }, call);
  } catch (error) {
    if (isDoubtful(error)) await settle(dependencies, wabaId, async () => undefined);
    throw error;
  }
}

/** What is not known to have failed: a lost answer, a cut connection to the number's process. */
function isDoubtful(error: unknown): boolean {
  const { code } = ServiceError.from(error);
  return code === "UNAVAILABLE" || code === "DEADLINE_EXCEEDED" || code === "CANCELLED" || code === "UNKNOWN";
}

async function saveEdited(tx: Queryable, template: StoredTemplate, change: TemplateChange, at: Date): Promise<void> {
  const [locked] = await lockReviews(tx, [template]);
  if (locked === undefined) return;
  const { wabaId, name, language, templateId, parameterFormat } = template;
  const componentsJson = change.componentsJson || template.componentsJson;
  const messageSendTtlSeconds = change.messageSendTtlSeconds ?? template.messageSendTtlSeconds;
  // The time to live alone is no content: nobody reviews it, and no limit counts it.
  const isReviewed = change.category !== "" || change.componentsJson !== "";
  const edited = { status: template.status, category: change.category, at };
  const review = isReviewed ? afterEdit(locked.review, edited) : locked.review;
  const row = { name, language, templateId, parameterFormat, componentsJson, messageSendTtlSeconds, review };
  await upsertTemplates(tx, wabaId, [row]);
  if (isReviewed) await saveEdits(tx, template, editsAfter(template, at));
}

async function saveDeleted(tx: Queryable, templates: readonly StoredTemplate[], at: Date): Promise<void> {
  const locked = await lockReviews(tx, templates);
  const reviews = locked.map((one) => ({ ...one, review: { ...one.review, status: { value: "DELETED", at } } }));
  if (reviews.length > 0) await saveReviews(tx, reviews);
}

function throwIfRefused(key: AccountTemplateKey, verdict: ChangeVerdict, now: Date): void {
  if (verdict !== undefined) throw changeFault(key, verdict, now);
}

async function getTemplate(db: Queryable, key: AccountTemplateKey): Promise<StoredTemplate> {
  const [template] = await loadTemplatesByKey(db, [key]);
  if (template === undefined) throw new Error(`template ${key.name} in ${key.language} was saved and is not there`);
  return template;
}
