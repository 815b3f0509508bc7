// Which pods a number is to have. Nothing here makes two senders possible: that is the lease's work. This decides how soon the
// right pod is there, and that no living one is taken away without need.
import type { GivenUp, LeaseFacts, PodFacts, PodsFacts, Turn } from "./facts.ts";
import { retryAfterMs } from "./given-up.ts";

export type PodAction =
  /** A later epoch, by compare-and-swap from the one that was seen, then its pod. */
  | { kind: "advance"; from: number; to: number; avoidNodes: readonly string[]; why: AdvanceReason }
  /** The pod of the present epoch, which was written and not yet seen. */
  | { kind: "create"; epoch: number; avoidNodes: readonly string[] }
  /** With its grace period, never without. */
  | { kind: "delete"; name: string; uid: string; why: DeleteReason }
  /** Notes on the pod that serves on that its successor is not waited for any more. */
  | { kind: "giveUp"; name: string; uid: string; gaveUp: GivenUp }
  /** Ends the lease of a pod that cannot send any more. */
  | { kind: "revoke"; term: bigint; proof: "pod_terminal" | "pod_gone" }
  /** The cache is older than the world: look again. */
  | { kind: "refresh" };

export type AdvanceReason =
  | "FirstPod"
  | "PodEnded"
  | "PodGone"
  | "PodDeleted"
  | "EpochOver"
  | "LeaseLapsed"
  | "NodeLost"
  | "NodeDraining"
  | "SpecChanged";
export type DeleteReason = "NotWanted" | "Replaced" | "GivenUp" | "Ended";

export type PodsPlan = {
  actions: readonly PodAction[];
  /** Why something that is due does not happen yet. */
  waitsFor: string | undefined;
  /** When to look again though nothing changes; undefined: only when something does. */
  lookAgainMs: number | undefined;
};

/** So long a lease must have lapsed, in ms: a messages service that comes back is asked for renewals first. */
export const lapseSettleMs = 2_000;
/** A pod this young, in ms, is not replaced for its silence: a process that fails at each start would eat epochs. */
export const youngPodMs = 60_000;

type Step = { actions?: readonly PodAction[]; waitsFor?: string; lookAgainMs?: number };

export function planPods(facts: PodsFacts): PodsPlan {
  const { pods, epoch } = facts;
  if (pods.some((pod) => pod.epoch > epoch)) return plan({ actions: [{ kind: "refresh" }] });
  const revoked = revokeDead(facts);
  if (!facts.isWanted) {
    return plan({ actions: [...revoked, ...pods.filter(isStaying).map((pod) => remove(pod, "NotWanted"))] });
  }
  const current = servesOn(facts) ?? pods.find((pod) => pod.epoch === epoch);
  const step = current === undefined ? replaceMissing(facts) : replaceFaulty(facts, current);
  // An old pod of an epoch that is about to end is judged when the next one is there.
  const isAdvancing = step.actions?.some(({ kind }) => kind === "advance") === true;
  const cleared = isAdvancing ? [] : clearOthers(facts, current);
  return plan({ ...step, actions: [...revoked, ...(step.actions ?? []), ...cleared] });
}

function plan({ actions = [], waitsFor, lookAgainMs }: Step): PodsPlan {
  return { actions, waitsFor, lookAgainMs };
}

/** The holder has ended, so that whoever waits need not wait for the lease to run out: its successor may be there already. */
function revokeDead(facts: PodsFacts): PodAction[] {
  const lease = leaseOf(facts);
  if (lease?.isHeld !== true) return [];
  const { term, holder } = lease;
  if (facts.endedUids.has(holder)) return [{ kind: "revoke", term, proof: "pod_gone" }];
  const isEnded = facts.pods.some((pod) => pod.uid === holder && pod.isEnded);
  return isEnded ? [{ kind: "revoke", term, proof: "pod_terminal" }] : [];
}

/** The pod whose successor, of the status' epoch, was given up; unless that one was quicker and has the lease after all. */
function servesOn(facts: PodsFacts): PodFacts | undefined {
  const lastHeld = leaseOf(facts)?.epoch ?? 0;
  return facts.pods.find((pod) => pod.gaveUp?.epoch === facts.epoch && lastHeld <= pod.epoch);
}

function replaceMissing(facts: PodsFacts): Step {
  const { isComplete, epoch, podUid, othersEpoch } = facts;
  if (!isComplete) return {};
  // The name of its pod may be taken, for as long as a lost node keeps the other one.
  if (isOver(facts) || (epoch > 0 && othersEpoch >= epoch)) return { actions: [advance(facts, "EpochOver")] };
  if (epoch > 0 && podUid === undefined)
    return { actions: [{ kind: "create", epoch, avoidNodes: silentNodes(facts) }] };
  return { actions: [advance(facts, podUid === undefined ? "FirstPod" : "PodGone")] };
}

function replaceFaulty(facts: PodsFacts, current: PodFacts): Step {
  const { isComplete, specHash, move, leave, disruption } = facts;
  if (!isComplete) return {};
  if (current.isEnded) return { actions: [advance(facts, "PodEnded")] };
  if (isOver(facts)) return { actions: [advance(facts, "EpochOver")] };
  // Its successor waits as a standby while it drains.
  if (current.isDeleting) return { actions: [advance(facts, "PodDeleted")] };
  const lease = leaseOf(facts);
  const silent = replaceSilent(facts, current, lease) ?? replaceUnheard(facts, current);
  if (silent !== undefined) return silent;
  const isAsWished = current.specHash === specHash;
  const waiting = isAsWished ? waitForLease(facts, current, lease) : {};
  const isToLeave = current.isNodeDraining && disruption === "Migrate";
  if (waiting.actions !== undefined || (!isToLeave && isAsWished)) return waiting;
  // Its successor could not ask for the lease, and without leases nobody can count who moves.
  if (facts.lease.kind === "away") return { waitsFor: `${facts.lease.service} is away` };
  const retryMs = retryInMs(facts, current);
  if (retryMs !== undefined && retryMs > 0) return { lookAgainMs: retryMs };
  if (isToLeave) return { ...waiting, ...moveTo(facts, "NodeDraining", leave) };
  // One that never got the lease serves nobody: a mended spec need not wait for its turn.
  const serves = current.isReady || lease?.epoch === current.epoch;
  // One that is tried again would wait for itself, as a canary that is not Ready.
  const turn = retryMs === undefined ? move : leave;
  return serves ? moveTo(facts, "SpecChanged", turn) : { actions: [advance(facts, "SpecChanged")] };
}

/** A pod that is to have the lease of one that serves: for so long, and no longer. */
function waitForLease(facts: PodsFacts, current: PodFacts, lease: LeaseFacts | undefined): Step {
  const { pods, specHash, standbyTimeoutMs, now } = facts;
  if (lease?.isHeld !== true || lease.lapsedForMs !== undefined || lease.epoch >= current.epoch) return {};
  const serving = pods.find(({ uid }) => uid === lease.holder);
  if (serving === undefined || serving.isEnded || serving.isDeleting) return {};
  // A wall clock that jumps must not take it for old; an operator that starts anew waits anew.
  const leftMs = standbyTimeoutMs - current.seenForMs;
  if (leftMs > 0) return { lookAgainMs: leftMs };
  const tries = serving.gaveUp?.specHash === specHash ? serving.gaveUp.tries + 1 : 1;
  const retryAt = new Date(now.getTime() + retryAfterMs(tries, standbyTimeoutMs));
  const gaveUp = { epoch: current.epoch, specHash, tries, why: whyWaiting(current), retryAt };
  return { actions: [{ kind: "giveUp", name: serving.name, uid: serving.uid, gaveUp }] };
}

function whyWaiting({ nodeName, isStarted, waitingReason }: PodFacts): string {
  if (waitingReason !== undefined) return waitingReason;
  if (nodeName === undefined) return "no node takes it";
  return isStarted ? "its process does not get the lease" : "its process is not up";
}

/** When a successor may be tried again; undefined: none of this spec was given up. */
function retryInMs(facts: PodsFacts, { gaveUp }: PodFacts): number | undefined {
  const { epoch, specHash, standbyTimeoutMs, now } = facts;
  if (gaveUp?.epoch !== epoch || gaveUp.specHash !== specHash) return undefined;
  const leftMs = gaveUp.retryAt.getTime() - now.getTime();
  // A time that is further away was written by a clock that was wrong.
  return leftMs > retryAfterMs(gaveUp.tries, standbyTimeoutMs) ? 0 : Math.max(0, leftMs);
}

function moveTo(facts: PodsFacts, why: AdvanceReason, turn: Turn): Step {
  return turn.isAllowed ? { actions: [advance(facts, why)] } : { waitsFor: turn.why };
}

/** A pod that the API server still shows as running, while nobody renews its lease: its node is gone, or its process stands still. */
function replaceSilent(facts: PodsFacts, current: PodFacts, lease: LeaseFacts | undefined): Step | undefined {
  if (lease?.epoch !== current.epoch || lease.lapsedForMs === undefined) return undefined;
  // What a node told of it before it was lost is in nobody's hands.
  if (current.isRestarting && !current.isNodeLost) return undefined;
  const waitMs = Math.max(lapseSettleMs - lease.lapsedForMs, youngPodMs - current.ageMs);
  if (waitMs > 0) return { waitsFor: "the pod may still renew its lease", lookAgainMs: waitMs };
  return moveTo(facts, "LeaseLapsed", facts.takeover);
}

/** A pod that does not hold the lease, on a node that does not answer: nobody can tell whether it was ever started. */
function replaceUnheard(facts: PodsFacts, current: PodFacts): Step | undefined {
  if (!current.isNodeLost || facts.lease.kind === "away") return undefined;
  const lease = leaseOf(facts);
  if (lease?.isHeld === true && lease.epoch === current.epoch) return undefined;
  // The cache may know of a new pod before it knows of its node.
  const waitMs = youngPodMs - current.ageMs;
  if (waitMs > 0) return { waitsFor: "the pod's node may still answer", lookAgainMs: waitMs };
  // Out of turn, since nobody is served by it; one that waits for a silent holder would wait for itself.
  return { actions: [advance(facts, "NodeLost")] };
}

/**
 * Pods of epochs that are over: kept while they send and their successor does not, or while their node cannot be asked. And a standby
 * that was given up.
 */
function clearOthers(facts: PodsFacts, current: PodFacts | undefined): PodAction[] {
  const lease = leaseOf(facts);
  return facts.pods
    .filter((pod) => pod !== current && isStaying(pod))
    .flatMap((pod) => {
      if (pod.isEnded) return [remove(pod, "Ended")];
      const mayHold = facts.lease.kind === "away" || (lease?.isHeld === true && lease.epoch === pod.epoch);
      if (mayHold || pod.isNodeLost) return [];
      return [remove(pod, current !== undefined && pod.epoch > current.epoch ? "GivenUp" : "Replaced")];
    });
}

function advance(facts: PodsFacts, why: AdvanceReason): PodAction {
  const { epoch, othersEpoch } = facts;
  const to = Math.max(epoch, othersEpoch, leaseOf(facts)?.epoch ?? 0) + 1;
  return { kind: "advance", from: epoch, to, avoidNodes: silentNodes(facts), why };
}

/**
 * The lease was given to a later epoch than the status knows: messages remembers the epochs of a resource that was deleted and made
 * anew, or restored. It gives the lease to none of the earlier ones any more.
 */
function isOver(facts: PodsFacts): boolean {
  return facts.epoch > 0 && (leaseOf(facts)?.epoch ?? 0) > facts.epoch;
}

/** Nodes of pods that run by the API server's word and are silent: a new pod there would be as silent. */
function silentNodes({ pods, lease }: PodsFacts): string[] {
  const isLapsed = lease.kind === "known" && lease.value?.lapsedForMs !== undefined;
  const silent = pods.filter(
    (pod) => !pod.isEnded && (pod.isNodeLost || (isLapsed && lease.value?.holder === pod.uid)),
  );
  return [...new Set(silent.flatMap(({ nodeName }) => nodeName ?? []))].sort();
}

function leaseOf({ lease }: PodsFacts): LeaseFacts | undefined {
  return lease.kind === "known" ? lease.value : undefined;
}

function isStaying(pod: PodFacts): boolean {
  return !pod.isDeleting;
}

function remove({ name, uid }: PodFacts, why: DeleteReason): PodAction {
  return { kind: "delete", name, uid, why };
}
