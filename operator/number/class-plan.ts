// The status of a ConnectionClass, from the counts of its numbers. Pure.
import type { ConnectionClass } from "../api/v1alpha1/connection-class.ts";
import type { Counts } from "./class-counts.ts";
import type { ClassRules } from "./fleet.ts";

type ClassStatus = NonNullable<ConnectionClass["status"]>;
type Rollout = NonNullable<ClassStatus["rollout"]>;
type Condition = NonNullable<ClassStatus["conditions"]>[number];

export type ClassPlan = { status: ClassStatus; isMoving: boolean };

type ClassPlanFacts = {
  resource: Pick<ConnectionClass, "metadata" | "status">;
  counts: Readonly<Counts>;
  rules: ClassRules;
  now: Date;
};

type Said = Pick<Condition, "status" | "reason" | "message">;

export function planClass(facts: ClassPlanFacts): ClassPlan {
  const { resource, counts } = facts;
  const { metadata, status } = resource;
  const isMoving = counts.moved < counts.size || counts.movedUnready > 0;
  const progress: Said = isMoving
    ? { status: "True", reason: counts.movedUnready > 0 ? "Waiting" : "Moving", message: `numbers are being moved` }
    : { status: "False", reason: "Settled", message: "" };
  const spoken: Record<string, Said> = {
    Ready: { status: "True", reason: "Usable", message: "" },
    Progressing: progress,
    Reconciling: isMoving ? progress : { status: "False", reason: "NothingToDo", message: "" },
    Stalled: { status: "False", reason: "NothingToDo", message: "" },
  };
  const conditions = Object.entries(spoken).map(([type, said]): Condition => {
    const before = status?.conditions?.find((condition) => condition.type === type);
    const isSame = before?.status === said.status;
    return {
      type,
      ...said,
      lastTransitionTime: isSame ? before.lastTransitionTime : stamp(facts.now),
      ...(metadata.generation !== undefined && { observedGeneration: metadata.generation }),
    };
  });
  return {
    isMoving,
    status: {
      ...(metadata.generation !== undefined && { observedGeneration: metadata.generation }),
      rollout: rolloutOf(facts, isMoving),
      conditions: conditions.sort((a, b) => (a.type < b.type ? -1 : 1)),
    },
  };
}

/** Times stay as they are once they are told. */
function rolloutOf({ resource, counts, rules, now }: ClassPlanFacts, isMoving: boolean): Rollout {
  const before = resource.status?.rollout;
  const isSame = before?.revision === rules.revision;
  const rollout: Rollout = isSame ? before : { revision: rules.revision };
  const canaries = rules.canary?.count ?? 0;
  const areCanariesReady =
    counts.moved > 0 && counts.moved >= Math.min(canaries, counts.size) && counts.movedUnready === 0;
  return {
    ...rollout,
    ...(counts.moved > 0 && { startedTime: rollout.startedTime ?? stamp(now) }),
    ...(areCanariesReady && { canaryReadyTime: rollout.canaryReadyTime ?? stamp(now) }),
    ...(!isMoving && counts.size > 0 && { completedTime: rollout.completedTime ?? stamp(now) }),
  };
}

function stamp(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, "Z");
}
