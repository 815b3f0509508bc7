// The status of a template, from what is known of it and what is going to be done.
import type { WhatsAppTemplate } from "../api/v1alpha1/whatsapp-template.ts";
import { cut, pausedConditions, toConditions, toSeconds } from "../conditions.ts";
import { annotations } from "../names.ts";
import { toWord } from "../number/words.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import {
  type Conditions,
  type Said,
  said,
  sayApproved,
  sayDrifted,
  sayForTools,
  sayReady,
  saySubmitted,
  toValue,
} from "./conditions.ts";
import type { Difference, ObservedTemplate, TemplateFacts } from "./facts.ts";
import type { Submission } from "./submission.ts";

export type TemplateStatus = NonNullable<WhatsAppTemplate["status"]>;
type Drift = NonNullable<TemplateStatus["drift"]>;

export function isPaused({ metadata }: TemplateFacts["template"]): boolean {
  return metadata.annotations?.[annotations.paused] === "true";
}

/** `submission` is what is to be done at WhatsApp; undefined: nothing, because something before it is in the way. */
export function statusOf(facts: TemplateFacts, submission: Submission | undefined): TemplateStatus {
  const { observed, template } = facts;
  const drift = observed.kind === "known" ? toDrift(observed.value?.differences ?? []) : (template.status?.drift ?? []);
  const ready = sayReady(facts, submission);
  const drifted = sayDrifted(facts, submission, drift.map(toText));
  return assemble(facts, drift, {
    Ready: ready,
    Submitted: saySubmitted(facts, submission),
    Approved: sayApproved(facts),
    Drifted: drifted,
    ReconciliationPaused: said("False", "NotPaused"),
    ...sayForTools(ready, drifted),
  });
}

/** Of one that is being deleted; what else is known of it stays. */
export function deletionStatus(facts: TemplateFacts, ready: Said): TemplateStatus {
  const { status = {} } = facts.template;
  const spoken = { Ready: ready, ...sayForTools(ready, said("False", "AsDeclared")) };
  return { ...status, ...generationOf(facts), conditions: layOver(facts, spoken) };
}

export function pausedStatus({ template, now }: TemplateFacts): TemplateStatus {
  return { ...template.status, conditions: pausedConditions(template, now) };
}

/** The order of fields does not count. */
export function isSameStatus(one: TemplateStatus, other: TemplateStatus | undefined): boolean {
  return other !== undefined && hashOf(one) === hashOf(other);
}

const mostDrift = 16;

/** A field is told once. */
export function toDrift(differences: readonly Difference[]): Drift {
  const byField = new Map(
    differences.map(({ field, declared, observed }) => {
      const place = cut(field, 128);
      return [place, { field: place, declared: toValue(field, declared), observed: toValue(field, observed) }];
    }),
  );
  return [...byField.values()].slice(0, mostDrift);
}

function toText({ field, declared = "", observed = "" }: Drift[number]): string {
  return `${field}: declared ${declared || "nothing"}, at WhatsApp ${observed || "nothing"}`;
}

function assemble(facts: TemplateFacts, drift: Drift, spoken: Record<string, Said>): TemplateStatus {
  const { observed, template, submitted } = facts;
  const wabaId = facts.accountTwin === undefined ? (facts.wabaId ?? template.status?.wabaId) : undefined;
  return {
    ...generationOf(facts),
    ...(wabaId !== undefined && { wabaId }),
    ...(observed.kind === "known" ? factsOf(observed.value, facts.now) : knownBefore(template.status)),
    ...(drift.length > 0 && { drift }),
    ...(submitted !== undefined && { submittedHash: submitted.hash, lastSubmittedTime: toSeconds(submitted.at) }),
    conditions: toConditions(spoken, template, facts.now),
  };
}

function factsOf(observed: ObservedTemplate | undefined, now: Date): TemplateStatus {
  if (observed === undefined) return {};
  const { templateId, status, category, quality, rejectedReason, editableAt } = observed;
  const words = {
    state: toWord(status),
    category: toWord(category),
    qualityScore: quality === "UNKNOWN" ? undefined : toWord(quality)?.slice(0, 32),
    rejectedReason: rejectedReason === "NONE" ? undefined : toWord(rejectedReason),
    nextEditTime: editableAt !== undefined && editableAt > now ? toSeconds(editableAt) : undefined,
  };
  return { ...(templateId !== "" && { id: templateId.slice(0, 32) }), ...withoutNothing(words) };
}

/** While nobody can tell. */
function knownBefore(status: TemplateStatus = {}): TemplateStatus {
  const { id, state, category, qualityScore, rejectedReason, nextEditTime } = status;
  return withoutNothing({ id, state, category, qualityScore, rejectedReason, nextEditTime });
}

function withoutNothing(fields: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function generationOf({ template }: Pick<TemplateFacts, "template">): Pick<TemplateStatus, "observedGeneration"> {
  const { generation } = template.metadata;
  return generation === undefined ? {} : { observedGeneration: generation };
}

/** The conditions that there were, but for those that are told now. */
function layOver({ template, now }: TemplateFacts, spoken: Record<string, Said>): Conditions {
  const kept = (template.status?.conditions ?? []).filter(({ type }) => !(type in spoken));
  return [...kept, ...toConditions(spoken, template, now)].sort((a, b) => (a.type < b.type ? -1 : 1));
}
