// The status of a ConnectionClass, from the counts of its numbers. Pure.
import type { ConnectionClass } from "../api/v1alpha1/connection-class.ts";
import { type Said, sayForTools, toConditions, toSeconds } from "../conditions.ts";
import type { Counts } from "./class-counts.ts";
import type { ClassRules } from "./fleet.ts";

type ClassStatus = NonNullable<ConnectionClass["status"]>;
type Rollout = NonNullable<ClassStatus["rollout"]>;

export type ClassPlan = { status: ClassStatus; isMoving: boolean };

type ClassPlanFacts = {
  resource: Pick<ConnectionClass, "metadata" | "status">;
  counts: Readonly<Counts>;
  rules: ClassRules;
  now: Date;
};

type Reason = "Usable" | "Moving" | "Waiting" | "Settled";

export function planClass(facts: ClassPlanFacts): ClassPlan {
  const { resource, counts, now } = facts;
  const { generation } = resource.metadata;
  const isMoving = counts.moved < counts.size || counts.movedUnready > 0;
  const progress: Said<Reason> = isMoving
    ? { status: "True", reason: counts.movedUnready > 0 ? "Waiting" : "Moving", message: "numbers are being moved" }
    : { status: "False", reason: "Settled", message: "" };
  const spoken: Record<string, Said> = {
    Ready: { status: "True", reason: "Usable", message: "" },
    Progressing: progress,
    ...sayForTools(progress, isMoving ? "working" : "settled"),
  };
  return {
    isMoving,
    status: {
      ...(generation !== undefined && { observedGeneration: generation }),
      rollout: rolloutOf(facts, isMoving),
      conditions: toConditions(spoken, resource, now),
    },
  };
}

/** Times stay as they are once they are told; that of the canaries while all of them are Ready, or have been for long enough. */
function rolloutOf({ resource, counts, rules, now }: ClassPlanFacts, isMoving: boolean): Rollout {
  const before = resource.status?.rollout;
  const isSame = before?.revision === rules.revision;
  const { canaryReadyTime, ...rollout }: Rollout = isSame ? before : { revision: rules.revision };
  const canaries = rules.canary?.count ?? 0;
  const areCanariesReady =
    counts.moved > 0 && counts.moved >= Math.min(canaries, counts.size) && counts.movedUnready === 0;
  return {
    ...rollout,
    ...(counts.moved > 0 && { startedTime: rollout.startedTime ?? toSeconds(now) }),
    ...((areCanariesReady || rules.wasCanaryOver) && { canaryReadyTime: canaryReadyTime ?? toSeconds(now) }),
    ...(!isMoving && counts.size > 0 && { completedTime: rollout.completedTime ?? toSeconds(now) }),
  };
}
