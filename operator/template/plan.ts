// What is to be done for a template, from everything that is known of it. Pure and total: every state has a plan.
import { templateFinalizer } from "../names.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import { findObstacle, type Said, said } from "./conditions.ts";
import type { TemplateFacts } from "./facts.ts";
import { deletionStatus, isPaused, pausedStatus, statusOf, type TemplateStatus, toDrift } from "./status.ts";
import { decideSubmission, type Submission } from "./submission.ts";

export type TemplateAction =
  | { kind: "keepFinalizer"; isKept: boolean }
  | { kind: "create" }
  /** What of it is to be changed. */
  | { kind: "edit"; category: boolean; components: boolean }
  | { kind: "delete" };

export type TemplatePlan = {
  actions: readonly TemplateAction[];
  /** Undefined: it stays as it is. */
  status: TemplateStatus | undefined;
  lookAgainMs: number | undefined;
  /** Why it is looked at again soon, and later each time. */
  retry: string | undefined;
};

/** Deletion is not tried more often. */
export const mostTries = 5;
const mostMs = 3_600_000;
const leastMs = 1_000;

export function planTemplate(facts: TemplateFacts): TemplatePlan {
  const { template, observed } = facts;
  if (isPaused(template)) return rest(pausedStatus(facts));
  if (template.metadata.deletionTimestamp !== undefined) return planDeletion(facts);
  const submission = findObstacle(facts) === undefined ? decide(facts) : undefined;
  const isSilent = facts.isBlip && template.status?.conditions !== undefined;
  return {
    actions: [...keepFinalizer(facts), ...submit(facts, submission)],
    status: isSilent ? undefined : statusOf(facts, submission),
    lookAgainMs: lookAgainMs(facts, submission),
    retry: observed.kind === "away" ? observed.why : undefined,
  };
}

function rest(status: TemplateStatus | undefined): TemplatePlan {
  return { actions: [], status, lookAgainMs: undefined, retry: undefined };
}

function decide({ template, observed, hash, submitted, now }: TemplateFacts): Submission | undefined {
  if (observed.kind === "away") return undefined;
  const { drift, conditions } = template.status ?? {};
  const wasKept = conditions?.some(({ type, reason }) => type === "Drifted" && reason === "KeptByWhatsApp") === true;
  return decideSubmission({
    policy: template.spec.managementPolicy,
    observed: observed.value,
    submittedMsAgo: submitted?.hash === hash ? now.getTime() - submitted.at.getTime() : undefined,
    isKept: wasKept && hashOf(drift ?? []) === hashOf(toDrift(observed.value?.differences ?? [])),
  });
}

/** Only where something outside is to be removed, and only by the resource that the template belongs to. */
function keepFinalizer({ template, twin }: TemplateFacts): TemplateAction[] {
  const isKept = template.spec.deletionPolicy === "Delete" && twin === undefined;
  return hasFinalizer(template) === isKept ? [] : [{ kind: "keepFinalizer", isKept }];
}

function hasFinalizer({ metadata }: TemplateFacts["template"]): boolean {
  return metadata.finalizers?.includes(templateFinalizer) === true;
}

function submit(facts: TemplateFacts, submission: Submission | undefined): TemplateAction[] {
  if (submission === undefined || isRefused(facts)) return [];
  return submission.kind === "create" || submission.kind === "edit" ? [submission] : [];
}

function isRefused({ refusals, hash, now }: TemplateFacts): boolean {
  const { submission } = refusals;
  return submission !== undefined && submission.hash === hash && submission.retryAt > now;
}

/** When time alone changes something. */
function lookAgainMs(facts: TemplateFacts, submission: Submission | undefined): number | undefined {
  const { refusals, observed, now } = facts;
  const editableAt = observed.kind === "known" ? observed.value?.editableAt : undefined;
  const refused = isRefused(facts) && submission !== undefined ? refusals.submission?.retryAt : undefined;
  const times = [editableAt, refused].filter((at) => at !== undefined && at > now);
  if (times.length === 0) return undefined;
  const soonest = Math.min(...times.map((at) => (at ?? now).getTime() - now.getTime()));
  return Math.min(mostMs, Math.max(leastMs, soonest));
}

function planDeletion(facts: TemplateFacts): TemplatePlan {
  const { template, account, twin, isShared, observed, refusals, now } = facts;
  if (!hasFinalizer(template)) return rest(undefined);
  const letGo: TemplatePlan = { ...rest(undefined), actions: [{ kind: "keepFinalizer", isKept: false }] };
  if (template.spec.deletionPolicy === "Retain" || twin !== undefined || isShared) return letGo;
  if (account === undefined)
    return rest(failed(facts, `there is no WhatsAppBusinessAccount ${template.spec.accountRef.name} any more`));
  if (observed.kind === "away") {
    const away = said("Unknown", "TemplatesAway", `${observed.service} does not answer: ${observed.why}`);
    return { ...rest(facts.isBlip ? undefined : deletionStatus(facts, away)), retry: observed.why };
  }
  const { value } = observed;
  if (value === undefined || value.status === "PENDING_DELETION") return letGo;
  if (value.status === "DISABLED") return rest(failed(facts, "WhatsApp does not delete a disabled template"));
  const { deletion } = refusals;
  if (deletion !== undefined && deletion.tries >= mostTries) return rest(failed(facts, deletion.message));
  const deleting = deletionStatus(facts, said("False", "Deleting", "the template is being deleted at WhatsApp"));
  if (deletion === undefined || deletion.retryAt <= now) return { ...rest(deleting), actions: [{ kind: "delete" }] };
  return { ...rest(deleting), lookAgainMs: Math.max(leastMs, deletion.retryAt.getTime() - now.getTime()) };
}

function failed(facts: TemplateFacts, why: string): TemplateStatus {
  const { name } = facts.template.metadata;
  const way = `kubectl patch wat ${name} --type merge -p '{"spec":{"deletionPolicy":"Retain"}}'`;
  const ready: Said = said("False", "DeletionFailed", `${why}; to delete the resource and leave the template: ${way}`);
  return deletionStatus(facts, ready);
}
