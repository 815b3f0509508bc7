// Makes a plan so. What cannot be taken back is preceded by a live look at the resource; every write is the leader's.
import { faultPoint } from "#lib/fault-points.ts";
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import { pods, projectNumber, type Stored, whatsAppNumbers } from "../kinds.ts";
import { finalizers, labels } from "../names.ts";
import { ApiError, hasStatus } from "../runtime/api-error.ts";
import type { Client } from "../runtime/client.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Outcome, Work } from "../runtime/controller.ts";
import type { Recorder } from "../runtime/events.ts";
import { apiVersionOf, type Wish } from "../runtime/objects.ts";
import type { WrittenVersions } from "../runtime/written-versions.ts";
import type { Watches } from "../watches.ts";
import type { OperatorMetrics } from "../metrics.ts";
import { tellTransitions } from "./story.ts";
import type { Observed } from "./observe.ts";
import type { NumberAction, NumberPlan } from "./plan.ts";
import { podNameOf, podOf } from "./pod.ts";
import { isFenced, isPaused, isSameStatus, type NumberStatus, withEpoch } from "./status.ts";
import type { UpstreamActions } from "./upstream-actions.ts";

export type ExecutorOptions = {
  /** Fenced: writes as leader only. */
  client: Client;
  watches: Pick<Watches, "numbers" | "pods">;
  written: WrittenVersions;
  upstream: UpstreamActions;
  recorder: Recorder;
  metrics: OperatorMetrics;
  clock: Clock;
};

/** Of server-side apply. */
const fieldManager = "heliograph-number";
/** After the services were told: their answer wakes the number sooner. */
const toldMs = 2_000;

export type Execution = { observed: Observed; plan: NumberPlan };

type Step = Execution & {
  options: ExecutorOptions;
  work: Work;
  /** Of the resource as this step knows it: what it saw, or wrote itself. */
  resourceVersion: string | undefined;
};

/** Ends the plan: the status was written with it, or is to be written after the next look. */
type Ended = { kind: "ended"; outcome: Outcome };

export async function executeNumber(options: ExecutorOptions, execution: Execution, work: Work): Promise<Outcome> {
  const { resourceVersion } = execution.observed.facts.number.metadata;
  const step = { ...execution, options, work, resourceVersion };
  for (const action of execution.plan.actions) {
    const ended = await carryOut(step, action);
    if (ended !== undefined) return ended.outcome;
  }
  await saveStatus(step, execution.plan.status);
  const { lookAgainMs } = execution.plan;
  return lookAgainMs === undefined ? { kind: "done" } : { kind: "requeue", afterMs: lookAgainMs };
}

async function carryOut(step: Step, action: NumberAction): Promise<Ended | undefined> {
  const { options, observed, work } = step;
  switch (action.kind) {
    case "keepFinalizers":
      await keepFinalizers(step, action.finalizers);
      // Without finalizers the resource is gone, and so is its status.
      return action.finalizers.length === 0 ? { kind: "ended", outcome: { kind: "done" } } : undefined;
    case "applyNumber":
      return endAfterTelling(step, await options.upstream.applyNumber(observed, work.signal));
    case "removeNumber":
      await lookLive(step);
      await options.upstream.removeNumber(observed, work.signal);
      return undefined;
    case "register":
      return endWith(step, await options.upstream.register(observed, action, work.signal));
    case "deregister": {
      const isDone = await options.upstream.deregister(observed, action, work.signal);
      if (isDone) await keepFinalizers(step, [finalizers.number]);
      return endWith(step, isDone);
    }
    case "refresh":
      // The status is older than the pods: whoever wrote it is ahead of our cache.
      return { kind: "ended", outcome: { kind: "retry", why: "the cache is older than its pods", isExpected: true } };
    case "advance":
      return advance(step, action);
    case "create":
      await createPod(step, action.epoch, action.avoidNodes);
      return undefined;
    case "delete":
      await deletePod(step, action);
      return undefined;
    case "revoke":
      await lookLive(step);
      await options.upstream.revoke(observed, action, work.signal);
      faultPoint("operator.revoked");
      return undefined;
    case "allowEviction":
      await allowEviction(step, action);
      return undefined;
  }
}

/** What the services answered tells the status of the next look; a refusal is told now. */
async function endAfterTelling(step: Step, isTold: boolean): Promise<Ended> {
  faultPoint("operator.told");
  return isTold ? { kind: "ended", outcome: { kind: "requeue", afterMs: toldMs } } : endWith(step, false);
}

async function endWith(step: Step, isDone: boolean): Promise<Ended> {
  await saveStatus(step, step.plan.status);
  return {
    kind: "ended",
    outcome: isDone
      ? { kind: "requeue", afterMs: toldMs }
      : { kind: "retry", why: "refused, see the conditions", isExpected: true },
  };
}

/** Throws if the resource is not the one that was decided on. */
async function lookLive({ options, observed, work }: Step): Promise<Stored<WhatsAppNumber>> {
  const { number } = observed.facts;
  const object = await options.client.get(whatsAppNumbers, work.key, { signal: work.signal });
  const live = object && projectNumber(object);
  const isSame =
    live?.metadata.uid === number.metadata.uid &&
    live.metadata.generation === number.metadata.generation &&
    live.metadata.deletionTimestamp === number.metadata.deletionTimestamp &&
    isPaused(live) === isPaused(number) &&
    isFenced(live) === isFenced(number) &&
    live.status?.connection?.epoch === number.status?.connection?.epoch;
  if (!isSame || live === undefined)
    throw new ApiError(409, "Conflict", `${work.key} is not what was decided on any more`);
  return live;
}

async function advance(step: Step, action: Extract<NumberAction, { kind: "advance" }>): Promise<Ended> {
  const { options, observed, plan, work } = step;
  const { client, clock, metrics, recorder } = options;
  const { number } = observed.facts;
  if (action.why === "SpecChanged") await tryPod(step, action.to, action.avoidNodes);
  const live = await lookLive(step);
  faultPoint("operator.looked");
  const status = withEpoch(plan.status, number.metadata.name, action.to);
  const { resourceVersion } = live.metadata;
  const saved = await client.apply(whatsAppNumbers, statusWish(number, status, resourceVersion), {
    fieldManager,
    subresource: "status",
    signal: work.signal,
  });
  options.written.remember(work.key, options.watches.numbers.store, saved.metadata.resourceVersion);
  observed.memory.takeover = { epoch: action.to, cause: action.why, atMs: clock.monotonicMs() };
  metrics.advances.inc({ cause: action.why });
  work.log.info({ epoch: action.to, why: action.why }, "epoch began");
  faultPoint("operator.advanced");
  await createPod(step, action.to, action.avoidNodes);
  recorder.record(number, {
    type: action.why === "FirstPod" || action.why === "SpecChanged" ? "Normal" : "Warning",
    reason: action.why,
    action: "CreatePod",
    note: `made the connection pod ${podNameOf(number.metadata.name, action.to)}`,
  });
  return { kind: "ended", outcome: { kind: "requeue", afterMs: plan.lookAgainMs ?? toldMs } };
}

/** Whether the API server would take it; asked before the number is moved for it. */
async function tryPod(step: Step, epoch: number, avoidNodes: readonly string[]): Promise<void> {
  const { client } = step.options;
  await whilePodIsTaken(
    step,
    (pod, signal) => client.apply(pods, pod, { fieldManager, dryRun: true, signal }),
    epoch,
    avoidNodes,
  );
}

async function createPod(step: Step, epoch: number, avoidNodes: readonly string[]): Promise<void> {
  const { options, work } = step;
  const create = async (pod: Wish, signal: AbortSignal): Promise<void> => {
    try {
      const made = await options.client.create(pods, pod, { signal });
      options.written.remember(work.key, options.watches.pods.store, made.metadata.resourceVersion);
    } catch (error) {
      // Somebody was quicker, or an answer was lost: the name says that it is the same pod.
      if (!hasStatus(error, 409)) throw error;
    }
  };
  await whilePodIsTaken(step, create, epoch, avoidNodes);
  faultPoint("operator.created");
}

/** Remembers what the API server says against a pod, for the conditions. */
async function whilePodIsTaken(
  { observed, work }: Step,
  write: (pod: Wish, signal: AbortSignal) => Promise<unknown>,
  epoch: number,
  avoidNodes: readonly string[],
): Promise<void> {
  const { podInput, facts, memory } = observed;
  if (podInput === undefined || facts.specHash === undefined) return;
  try {
    await write(podOf(podInput, facts.specHash, epoch, avoidNodes), work.signal);
    memory.refusals.pod = undefined;
  } catch (error) {
    if (error instanceof ApiError && hasStatus(error, 400, 403, 422))
      memory.refusals.pod = { specHash: facts.specHash, message: error.message };
    throw error;
  }
}

async function deletePod(step: Step, { name, uid, why }: Extract<NumberAction, { kind: "delete" }>): Promise<void> {
  const { options, observed, work } = step;
  const { number } = observed.facts;
  await lookLive(step);
  const namespace = number.metadata.namespace ?? "";
  // Without a grace period of ours: the pod's own holds, which is never 0.
  const isDeleted = await options.client.delete(pods, `${namespace}/${name}`, { uid, signal: work.signal });
  faultPoint("operator.deleted");
  if (!isDeleted) return;
  work.log.info({ pod: name, why }, "pod was deleted");
  const note = `deleted the connection pod ${name}`;
  options.recorder.record(number, { type: "Normal", reason: why, action: "DeletePod", note });
}

async function allowEviction(step: Step, { name, uid }: { name: string; uid: string }): Promise<void> {
  const { options, observed, work } = step;
  const { namespace = "" } = observed.facts.number.metadata;
  const metadata = { name, namespace, uid, labels: { [labels.evictable]: "true" } };
  await options.client.apply(pods, { apiVersion: "v1", kind: "Pod", metadata }, { fieldManager, signal: work.signal });
}

async function keepFinalizers(step: Step, wished: readonly string[]): Promise<void> {
  const { options, observed, work } = step;
  const { name, namespace = "", uid } = observed.facts.number.metadata;
  // The uid keeps an apply from making a resource anew that is gone.
  const metadata = { name, namespace, uid, ...(wished.length > 0 && { finalizers: [...wished] }) };
  const wish = { apiVersion: apiVersionOf(whatsAppNumbers), kind: whatsAppNumbers.kind, metadata };
  const saved = await options.client.apply(whatsAppNumbers, wish, { fieldManager, signal: work.signal });
  options.written.remember(work.key, options.watches.numbers.store, saved.metadata.resourceVersion);
  step.resourceVersion = saved.metadata.resourceVersion;
}

async function saveStatus(step: Step, status: NumberStatus): Promise<void> {
  const { options, observed, work } = step;
  const { client, clock, written, watches, recorder, metrics } = options;
  const { memory, facts } = observed;
  const { number } = facts;
  if (memory.editedAtMs !== undefined && status.observedGeneration === number.metadata.generation) {
    metrics.reconcileLag.observe((clock.monotonicMs() - memory.editedAtMs) / 1_000);
    memory.editedAtMs = undefined;
  }
  if (isSameStatus(status, number.status)) return;
  // It holds the epoch: one who leads no more, and does not know it, must not write an older one back.
  const wish = statusWish(number, status, step.resourceVersion);
  const saved = await client.apply(whatsAppNumbers, wish, { fieldManager, subresource: "status", signal: work.signal });
  written.remember(work.key, watches.numbers.store, saved.metadata.resourceVersion);
  if (status.messagingLimitUsed !== number.status?.messagingLimitUsed) memory.usedWrittenAtMs = clock.monotonicMs();
  tellTransitions(recorder, number, status);
}

/** With a version: refused with 409 if anybody has written since. */
function statusWish(
  { metadata }: Stored<WhatsAppNumber>,
  status: NumberStatus,
  resourceVersion: string | undefined,
): Wish {
  const { name, namespace = "", uid } = metadata;
  return {
    apiVersion: apiVersionOf(whatsAppNumbers),
    kind: whatsAppNumbers.kind,
    metadata: { name, namespace, uid, ...(resourceVersion !== undefined && { resourceVersion }) },
    status,
  };
}
