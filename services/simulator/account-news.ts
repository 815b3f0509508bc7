// News of an account to the business: what WhatsApp decided of its templates.
import {
  templateCategoryNews,
  type TemplateNews,
  templateQualityNews,
  templateStatusNews,
} from "./domain/account-webhook.ts";
import { planTemplate } from "./domain/template.ts";
import { accountChange } from "./domain/webhook-body.ts";
import type { Simulation } from "./simulation.ts";
import type { Account, Template } from "./store.ts";

/** `value` is JSON text. */
export function publishNews({ callbacks, now }: Simulation, account: Account, field: string, value: string): void {
  callbacks.publish(accountChange(account.id, field, now(), value), account, "");
}

function subjectOf({ id, name, language }: Template): TemplateNews {
  return { templateId: id, name, language };
}

/** Nothing happens where it has that status already. */
export function setTemplateStatus(
  sim: Simulation,
  account: Account,
  template: Template,
  { status, reason }: { status: string; reason: string },
): void {
  if (status === template.status) return;
  template.status = status;
  template.rejected_reason = status === "REJECTED" ? reason : "NONE";
  tellTemplateStatus(sim, account, template, { event: status, reason });
}

export function tellTemplateStatus(
  sim: Simulation,
  account: Account,
  template: Template,
  { event, reason }: { event: string; reason: string },
): void {
  const { field, value } = templateStatusNews({ ...subjectOf(template), category: template.category }, event, reason);
  publishNews(sim, account, field, value);
}

/** Nothing happens where it has that category already. */
export function setTemplateCategory(
  sim: Simulation,
  account: Account,
  template: Template,
  category: Template["category"],
): void {
  if (category === template.category) return;
  const { field, value } = templateCategoryNews(subjectOf(template), template.category, category);
  template.category = category;
  // Each category has bounds of its own, so WhatsApp takes its default again.
  delete template.message_send_ttl_seconds;
  template.plan = planTemplate({ ...template, parameterFormat: template.parameter_format });
  publishNews(sim, account, field, value);
}

/** Nothing happens where it has that quality already. */
export function setTemplateQuality(
  sim: Simulation,
  account: Account,
  template: Template,
  quality: Template["quality_score"],
): void {
  if (quality === template.quality_score) return;
  const { field, value } = templateQualityNews(subjectOf(template), template.quality_score, quality);
  template.quality_score = quality;
  publishNews(sim, account, field, value);
}
