// Whose turn it is, from the counts of the classes: "may this number move now" costs nothing at 5,000 numbers.
import type { Key } from "../runtime/objects.ts";
import { type Counts, createClassCounts, type Standing } from "./class-counts.ts";
import type { Turn } from "./facts.ts";
import {
  type Canary,
  endsCanary,
  type RolloutFacts,
  type Surge,
  turnToLeaveNode,
  turnToTakeOver,
  turnToTakeSpec,
} from "./rollout.ts";

export type ClassRules = {
  surge: Surge;
  canary: Canary | undefined;
  /** Of what pods of the class are made by now. */
  revision: string;
  /** The class' status says that the canaries of this revision have shown enough. */
  wasCanaryOver: boolean;
};

export type Fleet = {
  /** Undefined: the number is gone, or has no pod. */
  note(key: Key, standing: Standing | undefined): void;
  /** For a change of the spec, for leaving a node, and for a silent pod. */
  turns(className: string, rules: ClassRules): { move: Turn; leave: Turn; takeover: Turn };
  countsOf(className: string): Readonly<Counts>;
  /** How long canaries that are all Ready are still watched; undefined: they are not, or not any more. */
  canaryLeftMs(className: string, rules: ClassRules): number | undefined;
};

export function createFleet(nowMs: () => number): Fleet {
  const counts = createClassCounts(nowMs);
  /** The revision of each class whose canaries have shown enough. */
  const over = new Map<string, string>();

  /** Once they have, they have: a later fault is one of many. */
  function factsOf(className: string, { surge, canary, revision, wasCanaryOver }: ClassRules): RolloutFacts {
    const { lastReadyMs, takingOver: _, ...rest } = counts.of(className);
    const told = { ...rest, surge, canary, sinceLastReadyMs: nowMs() - lastReadyMs };
    const facts = { ...told, isCanaryOver: wasCanaryOver || over.get(className) === revision };
    if (!endsCanary(facts)) return facts;
    over.set(className, revision);
    return { ...facts, isCanaryOver: true };
  }

  return {
    note: counts.note,
    countsOf: counts.of,
    turns(className, rules) {
      const facts = factsOf(className, rules);
      const takeover = turnToTakeOver(rules.surge, counts.of(className).takingOver);
      return { move: turnToTakeSpec(facts), leave: turnToLeaveNode(facts), takeover };
    },
    canaryLeftMs(className, rules) {
      const { canary, moved, movedUnready, sinceLastReadyMs, isCanaryOver } = factsOf(className, rules);
      if (isCanaryOver || canary === undefined || moved < canary.count || movedUnready > 0) return undefined;
      return Math.max(1, canary.pauseMs - sinceLastReadyMs);
    },
  };
}
