// How many numbers of a class may move at once, and when the rest follows the first ones.
import type { Turn } from "./facts.ts";

/** Of the ConnectionClass. */
export type Surge = { percent: number; min: number; max: number };
export type Canary = { count: number; pauseMs: number };

/** Counted over the numbers of a class. */
export type RolloutFacts = {
  surge: Surge;
  canary: Canary | undefined;
  size: number;
  /** Numbers whose newest pod does not hold the lease yet. */
  moving: number;
  /** Numbers whose newest pod is of the wished spec, and how many of these are not Ready. */
  moved: number;
  movedUnready: number;
  /** Since the last of these became Ready. */
  sinceLastReadyMs: number;
  /** The canaries of this spec were Ready for as long as they are watched; from then on the surge alone counts. */
  isCanaryOver: boolean;
};

/** A number changes its class' size by a fraction: half a pod is a pod. */
export function surgeOf({ percent, min, max }: Surge, size: number): number {
  return Math.min(max, Math.max(min, Math.ceil((size * percent) / 100)));
}

/** A node that drains takes its pods down sooner or later: its numbers wait for room only. */
export function turnToLeaveNode({ surge, size, moving }: RolloutFacts): Turn {
  const most = surgeOf(surge, size);
  if (moving < most) return { isAllowed: true };
  return { isAllowed: false, why: `${moving} numbers of the class move already, at most ${most} may` };
}

/** Whether the canaries have shown what they are there for. */
export function endsCanary({ canary, moved, movedUnready, sinceLastReadyMs }: RolloutFacts): boolean {
  if (canary === undefined || canary.count === 0) return false;
  return moved >= canary.count && movedUnready === 0 && sinceLastReadyMs >= canary.pauseMs;
}

/** A new spec goes to the canaries first, then, if all of them are Ready after the pause, to the rest. */
export function turnToTakeSpec(facts: RolloutFacts): Turn {
  const { canary, size, moved, movedUnready, sinceLastReadyMs, isCanaryOver } = facts;
  // A class that is smaller than its canaries has none.
  const areWatched = canary !== undefined && canary.count > 0 && canary.count < size && moved >= canary.count;
  if (!areWatched || isCanaryOver || endsCanary(facts)) return turnToLeaveNode(facts);
  if (movedUnready > 0) return { isAllowed: false, why: `${movedUnready} of ${moved} canaries are not Ready` };
  const leftSeconds = Math.ceil((canary.pauseMs - sinceLastReadyMs) / 1_000);
  return { isAllowed: false, why: `the canaries are watched for another ${leftSeconds} s` };
}

/** So many pods that fell silent are replaced at once: when many leases lapse together, their holders may well live. */
export function turnToTakeOver(surge: Surge, takingOver: number): Turn {
  if (takingOver < surge.max) return { isAllowed: true };
  return { isAllowed: false, why: `${takingOver} silent pods are being replaced already, at most ${surge.max} may` };
}
