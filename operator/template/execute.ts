// Makes a plan so. What cannot be taken back is preceded by a live look at the resource; every write is the leader's.
import type { WhatsAppTemplate } from "../api/v1alpha1/whatsapp-template.ts";
import { projectTemplate, type Stored, whatsAppTemplates } from "../kinds.ts";
import { templateFinalizer } from "../names.ts";
import { ApiError } from "../runtime/api-error.ts";
import type { Client } from "../runtime/client.ts";
import type { Outcome, Work } from "../runtime/controller.ts";
import type { Recorder } from "../runtime/events.ts";
import { apiVersionOf } from "../runtime/objects.ts";
import type { WrittenVersions } from "../runtime/written-versions.ts";
import type { Observed, TemplateWatches } from "./observe.ts";
import type { TemplateAction, TemplatePlan } from "./plan.ts";
import { isSameStatus, type TemplateStatus } from "./status.ts";
import { transitionsOf } from "./story.ts";
import type { Done, UpstreamActions } from "./upstream-actions.ts";

export type ExecutorOptions = {
  /** Fenced: writes as leader only. */
  client: Client;
  watches: TemplateWatches;
  written: WrittenVersions;
  upstream: UpstreamActions;
  recorder: Recorder;
};

type Step = { options: ExecutorOptions; observed: Observed; work: Work };

/** Of server-side apply. */
const fieldManager = "heliograph-template";
/** Looked at anew, with what was just learnt. */
const again: Outcome = { kind: "requeue", afterMs: 1 };

export async function executeTemplate(
  options: ExecutorOptions,
  { facts: observed, plan }: { facts: Observed; plan: TemplatePlan },
  work: Work,
): Promise<Outcome> {
  const step = { options, observed, work };
  // Before the actions: WhatsApp takes its time.
  if (plan.status !== undefined) await saveStatus(step, plan.status);
  for (const action of plan.actions) {
    const outcome = await carryOut(step, action);
    if (outcome !== undefined) return outcome;
  }
  if (plan.retry !== undefined) return { kind: "retry", why: plan.retry, isExpected: true };
  return plan.lookAgainMs === undefined ? { kind: "done" } : { kind: "requeue", afterMs: plan.lookAgainMs };
}

/** Undefined: go on. */
async function carryOut(step: Step, action: TemplateAction): Promise<Outcome | undefined> {
  const { options, observed, work } = step;
  switch (action.kind) {
    case "keepFinalizer":
      if (action.left !== undefined) tellLeft(step, action.left);
      await keepFinalizer(step, action.isKept);
      // Without it, one that is being deleted is gone.
      return observed.facts.template.metadata.deletionTimestamp === undefined ? undefined : { kind: "done" };
    case "create":
      await lookLive(step);
      return toOutcome(await options.upstream.create(observed, work.signal));
    case "edit":
      await lookLive(step);
      return toOutcome(await options.upstream.edit(observed, action, work.signal));
    case "delete":
      await lookLive(step);
      return toOutcome(await options.upstream.remove(observed, work.signal));
  }
}

function tellLeft({ options, observed, work }: Step, why: string): void {
  const { template } = observed.facts;
  const note = `the template stays at WhatsApp: ${why}, and its WhatsAppBusinessAccount is gone`;
  work.log.warn({ why }, "template was left at WhatsApp");
  options.recorder.record(template, { type: "Warning", reason: "LeftAtWhatsApp", action: "Delete", note });
}

function toOutcome(done: Done): Outcome {
  return done === "known" ? again : { kind: "retry", why: "nobody knows whether WhatsApp did it", isExpected: true };
}

/** Throws if the resource is not the one that was decided on, or if the work has ended. */
async function lookLive({ options, observed, work }: Step): Promise<void> {
  const { template } = observed.facts;
  const object = await options.client.get(whatsAppTemplates, work.key, { signal: work.signal });
  const live = object && projectTemplate(object);
  const isSame =
    live?.metadata.uid === template.metadata.uid &&
    live.metadata.generation === template.metadata.generation &&
    live.metadata.deletionTimestamp === template.metadata.deletionTimestamp;
  if (!isSame) throw new ApiError(409, "Conflict", `${work.key} is not what was decided on any more`);
  work.signal.throwIfAborted();
}

async function keepFinalizer({ options, observed, work }: Step, isKept: boolean): Promise<void> {
  const { template } = observed.facts;
  const wish = wishOf(template, isKept ? [templateFinalizer] : []);
  const saved = await options.client.apply(whatsAppTemplates, wish, { fieldManager, signal: work.signal });
  remember({ options, observed, work }, saved.metadata.resourceVersion);
}

/** The uid keeps an apply from making a resource anew that is gone. */
function wishOf({ metadata }: Stored<WhatsAppTemplate>, finalizers: string[]) {
  const { name, namespace = "", uid } = metadata;
  return {
    apiVersion: apiVersionOf(whatsAppTemplates),
    kind: whatsAppTemplates.kind,
    metadata: { name, namespace, uid, ...(finalizers.length > 0 && { finalizers }) },
  };
}

async function saveStatus(step: Step, status: TemplateStatus): Promise<void> {
  const { options, observed, work } = step;
  const { template } = observed.facts;
  if (isSameStatus(status, template.status)) return;
  const wish = { ...wishOf(template, []), status };
  const saved = await options.client.apply(whatsAppTemplates, wish, {
    fieldManager,
    subresource: "status",
    signal: work.signal,
  });
  remember(step, saved.metadata.resourceVersion);
  for (const note of transitionsOf(template.status, status)) options.recorder.record(template, note);
}

function remember({ options, work }: Step, resourceVersion: string): void {
  options.written.remember(work.key, options.watches.templates.store, resourceVersion);
}
