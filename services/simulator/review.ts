// Review of templates: each is decided some time after it was handed in, unless it was changed meanwhile.
import { createHash } from "node:crypto";
import { setTemplateCategory, setTemplateStatus } from "./account-news.ts";
import { decideReview, guideDelayMs } from "./domain/template-review.ts";
import { templateKey } from "./domain/template.ts";
import type { Simulation } from "./simulation.ts";
import type { Account, Template } from "./store.ts";

/** Plans the decision over a template that is PENDING now. */
export function planReview(sim: Simulation, account: Account, template: Template): void {
  const { name, language, version, plan } = template;
  const { reviewAfterMs } = sim.settings;
  const delayMs =
    reviewAfterMs === "guide" ? guideDelayMs(hashOf(`${name}|${language}|${plan.body.text}`)) : reviewAfterMs;
  sim.scheduler.at(sim.now() + delayMs, () => {
    const isPresent = account.templates.get(templateKey(name, language)) === template;
    if (isPresent && template.version === version && template.status === "PENDING") decide(sim, account, template);
  });
}

function hashOf(text: string): number {
  return createHash("sha256").update(text).digest().readUInt32BE(0);
}

function decide(sim: Simulation, account: Account, template: Template): void {
  const review = decideReview(template.category, template.plan.body.text);
  if (review.status === "REJECTED") return setTemplateStatus(sim, account, template, review);
  if (review.category === "MARKETING") setTemplateCategory(sim, account, template, "MARKETING");
  setTemplateStatus(sim, account, template, { status: "APPROVED", reason: "NONE" });
}
