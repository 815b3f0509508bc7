// What one number adds to the counts of its class, from its pods and its lease alone: an operator that starts anew counts the same.
import type { Standing } from "./class-counts.ts";
import type { LeaseFacts, NumberFacts, PodFacts, PodsFacts } from "./facts.ts";
import type { AdvanceReason } from "./pods.ts";
import { newestOf } from "./status.ts";

type StandingFacts = Pick<PodsFacts, "epoch" | "pods" | "lease"> & {
  className: string;
  specHash: string | undefined;
};

/** Known without asking anybody. */
export type CountedFacts = Pick<NumberFacts, "number" | "connectionClass" | "register" | "pods" | "specHash">;

/** What counts of what is known of a number. */
export function countedOf(facts: CountedFacts): StandingFacts {
  const { number, connectionClass, register, pods, specHash } = facts;
  const epoch = number.status?.connection?.epoch ?? 0;
  const lease: PodsFacts["lease"] =
    register.kind === "away" ? register : { kind: "known", value: register.value?.connection };
  return { className: connectionClass.name, epoch, pods, lease, specHash };
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

/** A later epoch has begun than the one that holds the lease, whether its pod is there by now or not, and was not given up. */
function isWaiting({ epoch, pods }: StandingFacts, lease: LeaseFacts | undefined): boolean {
  return lease?.isHeld === true && lease.epoch < epoch && !pods.some(({ gaveUp }) => gaveUp?.epoch === epoch);
}

function isReady({ isReady: isConnected, uid }: PodFacts, lease: LeaseFacts | undefined): boolean {
  return isConnected && lease?.holder === uid;
}
