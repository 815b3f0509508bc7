// What one number adds to the counts of its class, from its pods and its lease alone: an operator that starts anew counts the same.
import type { Standing } from "./class-counts.ts";
import type { LeaseFacts, NumberFacts, PodFacts, PodsFacts } from "./facts.ts";
import type { AdvanceReason } from "./pods.ts";
import { newestOf } from "./status.ts";

type StandingFacts = Pick<PodsFacts, "epoch" | "podUid" | "pods" | "lease"> & {
  className: string;
  specHash: string | undefined;
};

/** Known without asking anybody. */
export type CountedFacts = Pick<NumberFacts, "number" | "connectionClass" | "register" | "pods" | "specHash">;

/** What counts of what is known of a number. */
export function countedOf(facts: CountedFacts): StandingFacts {
  const { number, connectionClass, register, pods, specHash } = facts;
  const { epoch = 0, podUid } = number.status?.connection ?? {};
  const lease: PodsFacts["lease"] =
    register.kind === "away" ? register : { kind: "known", value: register.value?.connection };
  return { className: connectionClass.name, epoch, podUid, pods, lease, specHash };
}

/** Undefined: a number without pods is none that moves. */
export function standingOf(facts: StandingFacts): Standing | undefined {
  const { className, specHash, pods, lease } = facts;
  const newest = newestOf(pods);
  if (newest === undefined) return undefined;
  const known = lease.kind === "known" ? lease.value : undefined;
  const waits = lease.kind === "away" ? pods.filter(({ isEnded }) => !isEnded).length > 1 : isWaiting(facts, known);
  const isOfSpec = newest.specHash === specHash;
  const hasFailed = !isOfSpec && newest.gaveUp?.specHash === specHash;
  return {
    className,
    isMoving: waits && known?.lapsedForMs === undefined,
    isTakingOver: waits && known?.lapsedForMs !== undefined,
    isMoved: isOfSpec || hasFailed,
    isReady: isReady(newest, known) && !hasFailed,
  };
}

/** From the decision on, not from when it can be seen. */
export function standingAfter(standing: Standing, why: AdvanceReason): Standing {
  const isTakingOver = why === "LeaseLapsed";
  const isMoving = why === "SpecChanged" || why === "NodeDraining" || (standing.isMoving && !isTakingOver);
  return { ...standing, isMoved: true, isReady: false, isMoving, isTakingOver };
}

/** A later epoch has begun than the one that holds the lease; its pod may not have been seen yet, and it may have been given up. */
function isWaiting({ epoch, podUid, pods }: StandingFacts, lease: LeaseFacts | undefined): boolean {
  if (lease?.isHeld !== true || lease.epoch >= epoch) return false;
  return podUid === undefined || pods.some((pod) => pod.epoch === epoch);
}

function isReady({ isReady: isConnected, uid }: PodFacts, lease: LeaseFacts | undefined): boolean {
  return isConnected && lease?.holder === uid;
}
