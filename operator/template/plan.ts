// What is to be done for a template, from everything that is known of it. Pure and total: every state has a plan.
import { templateFinalizer } from "../names.ts";
import type { EditedParts } from "../registration.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import { findObstacle, type Said, said } from "./conditions.ts";
import type { TemplateFacts } from "./facts.ts";
import { deletionStatus, isPaused, pausedStatus, statusOf, type TemplateStatus, toDrift } from "./status.ts";
import { decideSubmission, type Submission } from "./submission.ts";

export type TemplateAction =
  /** `left`: why the template stays at WhatsApp although it was to go. */
  | { kind: "keepFinalizer"; isKept: boolean; left?: string }
  | { kind: "create" }
  /** What of it is to be changed. */
  | ({ kind: "edit" } & EditedParts)
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
function keepFinalizer({ template, twin, accountTwin }: TemplateFacts): TemplateAction[] {
  const isOurs = twin === undefined && accountTwin === undefined;
  const isKept = template.spec.deletionPolicy === "Delete" && isOurs;
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
  const { template, account, accountTwin, wabaId, twin, isShared, observed, refusals, now } = facts;
  if (!hasFinalizer(template)) return rest(undefined);
  const letGo: TemplatePlan = { ...rest(undefined), actions: [{ kind: "keepFinalizer", isKept: false }] };
  const isOthers = twin !== undefined || accountTwin !== undefined || isShared;
  if (template.spec.deletionPolicy === "Retain" || isOthers) return letGo;
  // It never had an account, so nothing was ever handed in for it.
  if (wabaId === undefined) return letGo;
  if (observed.kind === "away") {
    const why = `${observed.service} does not answer: ${observed.why}; ${wayOut(template)}`;
    const away = deletionStatus(facts, said("Unknown", "TemplatesAway", why));
    return { ...rest(facts.isBlip ? undefined : away), retry: observed.why };
  }
  const { value } = observed;
  if (value === undefined || value.status === "PENDING_DELETION") return letGo;
  const { deletion } = refusals;
  const stuck = deletion !== undefined && deletion.tries >= mostTries ? deletion.message : undefined;
  const why = value.status === "DISABLED" ? "WhatsApp does not delete a disabled template" : stuck;
  if (why !== undefined) return account === undefined ? leave(why) : rest(failed(facts, why));
  const deleting = deletionStatus(facts, said("False", "Deleting", "the template is being deleted at WhatsApp"));
  if (deletion === undefined || deletion.retryAt <= now) return { ...rest(deleting), actions: [{ kind: "delete" }] };
  return { ...rest(deleting), lookAgainMs: Math.max(leastMs, deletion.retryAt.getTime() - now.getTime()) };
}

/** Without its account nobody would mend anything, and a namespace that is deleted would wait for ever. */
function leave(why: string): TemplatePlan {
  return { ...rest(undefined), actions: [{ kind: "keepFinalizer", isKept: false, left: why }] };
}

function failed(facts: TemplateFacts, why: string): TemplateStatus {
  const ready: Said = said("False", "DeletionFailed", `${why}; ${wayOut(facts.template)}`);
  return deletionStatus(facts, ready);
}

function wayOut({ metadata: { name, namespace = "" } }: TemplateFacts["template"]): string {
  const patch = `--type merge -p '{"spec":{"deletionPolicy":"Retain"}}'`;
  return `to delete the resource and leave the template: kubectl -n ${namespace} patch wat ${name} ${patch}`;
}
