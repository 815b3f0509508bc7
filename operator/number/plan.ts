// What is to be done for a number, from everything that is known of it. Pure and total: every state has a plan.
import { finalizers } from "../names.ts";
import type { NumberFacts, RegisteredFacts } from "./facts.ts";
import { findMissing } from "./conditions.ts";
import { lapseSettleMs, type PodAction, planPods, type PodsPlan } from "./pods.ts";
import { isFenced, isPaused, mostTries, newestOf, type NumberStatus, pausedStatus, statusOf } from "./status.ts";

export type NumberAction =
  | PodAction
  /** The finalizers that the resource is to have from us. */
  | { kind: "keepFinalizers"; finalizers: readonly string[] }
  /** Tells the services of the number, as it is declared. */
  | { kind: "applyNumber" }
  | { kind: "removeNumber" }
  /** At WhatsApp, with the PIN of this hash, through the process at that address. */
  | { kind: "register"; address: string; pinHash: string }
  | { kind: "deregister"; address: string }
  /** Lets an eviction pass. */
  | { kind: "allowEviction"; name: string; uid: string };

export type NumberPlan = {
  /** In this order; the first that fails ends them. */
  actions: readonly NumberAction[];
  status: NumberStatus;
  /** Why something that is due does not happen yet. */
  waitsFor: string | undefined;
  lookAgainMs: number | undefined;
};

/** What nobody tells us of is looked at this often: use and quality. */
const idleMs = 600_000;
/** A connected number of which nothing is known from WhatsApp yet is looked at after this, and then ever more rarely. */
const unknownQualityMs = 2_000;

export function planNumber(facts: NumberFacts): NumberPlan {
  const { number } = facts;
  if (isPaused(number)) {
    return { actions: [], status: pausedStatus(facts), waitsFor: undefined, lookAgainMs: undefined };
  }
  if (number.metadata.deletionTimestamp !== undefined) return planDeletion(facts);
  const pods = planPods(podsFactsOf(facts, isWanted(facts)));
  return finish(facts, pods, [
    ...keepFinalizers(facts),
    ...tellServices(facts),
    ...registerUpstream(facts),
    ...pods.actions,
    ...letGo(facts),
  ]);
}

function finish(facts: NumberFacts, pods: PodsPlan | undefined, actions: readonly NumberAction[]): NumberPlan {
  const looks = [idleMs, pods?.lookAgainMs, unknownQuality(facts), retryRegistration(facts)];
  return {
    actions,
    status: statusOf(facts, pods),
    waitsFor: pods?.waitsFor,
    lookAgainMs: Math.min(...looks.filter((ms) => ms !== undefined)),
  };
}

function isWanted({ number, twin }: NumberFacts): boolean {
  return number.spec.desiredState === "Connected" && !isFenced(number) && twin === undefined;
}

function podsFactsOf(facts: NumberFacts, isPodWanted: boolean): Parameters<typeof planPods>[0] {
  const { number, register, specHash, refusals } = facts;
  const { connection } = number.status ?? {};
  const { pod: refused } = refusals;
  const isRefused = refused !== undefined && refused.specHash === specHash && refused.retryAt > facts.now;
  const refusedTurn = { isAllowed: false, why: "the API server refuses the pod" } as const;
  return {
    isWanted: isPodWanted,
    // A pod that was refused is tried again as it is; one of another spec may do better.
    isComplete: specHash !== undefined && isKnown(facts),
    epoch: connection?.epoch ?? 0,
    podUid: connection?.podUid,
    specHash: specHash ?? "",
    pods: facts.pods,
    othersEpoch: facts.othersEpoch,
    endedUids: facts.endedUids,
    lease: register.kind === "away" ? register : { kind: "known", value: register.value?.connection },
    move: isRefused ? refusedTurn : facts.move,
    leave: isRefused ? refusedTurn : facts.leave,
    takeover: facts.takeover,
    disruption: facts.isDrainOver ? "Migrate" : number.spec.disruption.policy,
    standbyTimeoutMs: standbyTimeoutMsOf(facts),
    now: facts.now,
  };
}

/** No pod is made without a class, nor given up. */
function standbyTimeoutMsOf({ connectionClass }: NumberFacts): number {
  return connectionClass.kind === "found" ? connectionClass.spec.takeover.standbyTimeoutSeconds * 1_000 : Infinity;
}

/** A lease is given for known numbers only. */
function isKnown(facts: NumberFacts): boolean {
  const { register, number } = facts;
  if (findMissing(facts) !== undefined) return false;
  return register.kind === "away" ? number.status?.registeredHash !== undefined : register.value !== undefined;
}

function keepFinalizers({ number }: NumberFacts): NumberAction[] {
  const isDeregistered = number.spec.deletionPolicy === "Delete";
  const wished = [finalizers.number, ...(isDeregistered ? [finalizers.upstream] : [])];
  const present = number.metadata.finalizers ?? [];
  const isKept = Object.values(finalizers).every((one) => wished.includes(one) === present.includes(one));
  return isKept ? [] : [{ kind: "keepFinalizers", finalizers: wished }];
}

function tellServices({ register, account, twin }: NumberFacts): NumberAction[] {
  if (register.kind === "away" || account === undefined || twin !== undefined) return [];
  return register.value?.isAsDeclared === true ? [] : [{ kind: "applyNumber" }];
}

function registerUpstream({ register, pin, refusals, registration: taken, now }: NumberFacts): NumberAction[] {
  const connection = livingConnection(register);
  if (connection?.standing !== "not_registered" || pin?.kind !== "present") return [];
  const isTried = [refusals.registration, taken].some((one) => one?.pinHash === pin.hash && one.retryAt > now);
  return isTried ? [] : [{ kind: "register", address: connection.address, pinHash: pin.hash }];
}

function retryRegistration({ refusals, registration, now }: NumberFacts): number | undefined {
  const atMs = (refusals.registration ?? registration)?.retryAt.getTime();
  if (atMs === undefined || atMs > now.getTime() + idleMs) return undefined;
  return Math.max(1_000, atMs - now.getTime());
}

function unknownQuality({ quality, register, now }: NumberFacts): number | undefined {
  const connection = livingConnection(register);
  if (connection === undefined || quality.kind === "away" || quality.value !== undefined) return undefined;
  const connectedMs = now.getTime() - (connection.since?.getTime() ?? now.getTime());
  return Math.max(unknownQualityMs, connectedMs / 2);
}

function livingConnection(register: NumberFacts["register"]): RegisteredFacts["connection"] {
  const connection = register.kind === "known" ? register.value?.connection : undefined;
  return connection?.isHeld === true && connection.lapsedForMs === undefined ? connection : undefined;
}

/** The drain has waited long enough for this number. */
function letGo({ pods, isDrainOver, isNewestEvictable }: NumberFacts): NumberAction[] {
  const newest = newestOf(pods);
  if (!isDrainOver || isNewestEvictable || newest === undefined || newest.isDeleting) return [];
  return [{ kind: "allowEviction", name: newest.name, uid: newest.uid }];
}

/** Deregistered while a process is there that can say it, then taken down, then forgotten by the services. */
function planDeletion(facts: NumberFacts): NumberPlan {
  const { number, pods, register, isShared, refusals } = facts;
  const present = new Set(number.metadata.finalizers ?? []);
  if (!present.has(finalizers.number) && !present.has(finalizers.upstream)) return finish(facts, undefined, []);
  if (present.has(finalizers.upstream)) {
    if (number.spec.deletionPolicy === "Retain" || facts.twin !== undefined)
      return finish(facts, undefined, [{ kind: "keepFinalizers", finalizers: [finalizers.number] }]);
    const plan = planPods(podsFactsOf(facts, !isFenced(number)));
    const connection = livingConnection(register);
    const mayTry = connection !== undefined && (refusals.deregistration?.tries ?? 0) < mostTries;
    const actions: NumberAction[] = mayTry ? [{ kind: "deregister", address: connection.address }] : [];
    return finish(facts, plan, [...plan.actions, ...actions]);
  }
  const plan = planPods(podsFactsOf(facts, false));
  if (pods.length > 0 && !areOutOfReach(facts))
    return finish(facts, { ...plan, lookAgainMs: unsettledMs(register) }, plan.actions);
  const forget: NumberAction[] = isShared ? [] : [{ kind: "removeNumber" }];
  return finish(facts, plan, [...forget, { kind: "keepFinalizers", finalizers: [] }]);
}

/**
 * Nothing is left but pods that are being deleted on nodes which do not answer, and their lease has run out: who comes back finds that
 * the services know the number no more. It would be waited for in vain where a machine is gone for good.
 */
function areOutOfReach({ pods, register }: NumberFacts): boolean {
  if (register.kind === "away" || !pods.every(({ isDeleting, isNodeLost }) => isDeleting && isNodeLost)) return false;
  const lease = register.value?.connection;
  return lease?.isHeld !== true || (lease.lapsedForMs ?? -1) >= lapseSettleMs;
}

/** Until a lease that lapsed just now counts as lapsed. */
function unsettledMs(register: NumberFacts["register"]): number | undefined {
  const lapsedForMs = register.kind === "known" ? register.value?.connection?.lapsedForMs : undefined;
  return lapsedForMs === undefined || lapsedForMs >= lapseSettleMs ? undefined : lapseSettleMs - lapsedForMs;
}
