// Makes a plan so. What cannot be taken back is preceded by a live look at the resource; every write is the leader's.
import { faultPoint } from "#lib/fault-points.ts";
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import { pods, projectNumber, type Stored, whatsAppNumbers } from "../kinds.ts";
import { annotations, finalizers, labels } from "../names.ts";
import { ApiError, hasStatus } from "../runtime/api-error.ts";
import type { Client } from "../runtime/client.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Outcome, Work } from "../runtime/controller.ts";
import type { Recorder } from "../runtime/events.ts";
import type { Wish } from "../runtime/objects.ts";
import type { WrittenVersions } from "../runtime/written-versions.ts";
import type { StatusWriter } from "../status-writer.ts";
import type { Watches } from "../watches.ts";
import type { OperatorMetrics } from "../metrics.ts";
import { toMark } from "./given-up.ts";
import type { Observed } from "./observe.ts";
import type { NumberAction, NumberPlan } from "./plan.ts";
import { podNameOf, podOf } from "./pod.ts";
import { isFenced, isPaused, withEpoch } from "./status.ts";
import type { UpstreamActions } from "./upstream-actions.ts";

export type ExecutorOptions = {
  /** Fenced: writes as leader only. */
  client: Client;
  watches: Pick<Watches, "pods">;
  written: WrittenVersions;
  writer: StatusWriter;
  upstream: UpstreamActions;
  recorder: Recorder;
  operatorMetrics: OperatorMetrics;
  clock: Clock;
};

/** Of server-side apply. */
export const fieldManager = "heliograph-number";
/** Of its own, since what a manager applied before is gone with its next apply. */
const markFieldManager = "heliograph-number-standby";
/** After the services were told: their answer wakes the number sooner. */
const toldMs = 2_000;

type Execution = { observed: Observed; plan: NumberPlan };
type Step = Execution & { options: ExecutorOptions; work: Work };
/** How soon a refused pod is tried again as it is: a quota may have grown. */
const refusedMs = 300_000;

/** Ends the plan: the status was written with it, or is to be written after the next look. */
type Ended = { kind: "ended"; outcome: Outcome };

export async function executeNumber(options: ExecutorOptions, execution: Execution, work: Work): Promise<Outcome> {
  const step = { ...execution, options, work };
  for (const action of execution.plan.actions) {
    const ended = await carryOut(step, action);
    if (ended !== undefined) return ended.outcome;
  }
  await saveStatus(step);
  const { lookAgainMs } = execution.plan;
  return lookAgainMs === undefined ? { kind: "done" } : { kind: "requeue", afterMs: lookAgainMs };
}

async function carryOut(step: Step, action: NumberAction): Promise<Ended | undefined> {
  const { options, observed, work } = step;
  switch (action.kind) {
    case "keepFinalizers":
      await options.writer.keepFinalizers(observed.facts.number, action.finalizers, work);
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
      if (isDone) await options.writer.keepFinalizers(observed.facts.number, [finalizers.number], work);
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
    case "giveUp":
      await giveUp(step, action);
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
  await saveStatus(step);
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
  const { clock, operatorMetrics, recorder, writer } = options;
  const { number } = observed.facts;
  if (action.why === "SpecChanged" || action.why === "NodeDraining") await tryPod(step, action.to, action.avoidNodes);
  const live = await lookLive(step);
  faultPoint("operator.looked");
  const status = withEpoch(plan.status, number.metadata.name, action.to);
  // Compare and swap: whoever writes between the look and this is not written over.
  await writer.save({ ...number, metadata: live.metadata }, status, work);
  observed.memory.takeover = { epoch: action.to, cause: action.why, atMs: clock.monotonicMs() };
  operatorMetrics.advances.inc({ cause: action.why });
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
      memory.refusals.pod = {
        specHash: facts.specHash,
        message: error.message,
        retryAt: new Date(facts.now.getTime() + refusedMs),
      };
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

/** On the pod that serves on. Its standby is deleted by the next look, which sees this. */
async function giveUp(step: Step, { name, uid, gaveUp }: Extract<NumberAction, { kind: "giveUp" }>): Promise<void> {
  const { options, observed, work } = step;
  const { number } = observed.facts;
  await lookLive(step);
  const { namespace = "" } = number.metadata;
  const metadata = { name, namespace, uid, annotations: { [annotations.standbyGivenUp]: toMark(gaveUp) } };
  const wish = { apiVersion: "v1", kind: "Pod", metadata };
  const marked = await options.client.apply(pods, wish, { fieldManager: markFieldManager, signal: work.signal });
  options.written.remember(work.key, options.watches.pods.store, marked.metadata.resourceVersion);
  faultPoint("operator.gave_up");
  work.log.info({ epoch: gaveUp.epoch, why: gaveUp.why }, "standby was given up");
}

async function saveStatus({ options, observed, plan, work }: Step): Promise<void> {
  const { clock, operatorMetrics, writer } = options;
  const { memory, facts } = observed;
  const { number } = facts;
  const { status } = plan;
  if (memory.editedAtMs !== undefined && status.observedGeneration === number.metadata.generation) {
    operatorMetrics.reconcileLag.observe((clock.monotonicMs() - memory.editedAtMs) / 1_000);
    memory.editedAtMs = undefined;
  }
  const isWritten = await writer.save(number, status, work);
  if (isWritten && status.messagingLimitUsed !== number.status?.messagingLimitUsed)
    memory.usedWrittenAtMs = clock.monotonicMs();
}
