// Conditions as every kind has them: what is said now, laid beside what was said before.
import type { ObjectMeta } from "./api/metadata.ts";

export type Condition = {
  type: string;
  status: "True" | "False" | "Unknown";
  observedGeneration?: number;
  lastTransitionTime: string;
  reason: string;
  message: string;
};

/** What a condition says. `Reason` is the closed list of a kind. */
export type Said<Reason extends string = string> = { status: Condition["status"]; reason: Reason; message: string };

/** An object whose status has conditions. */
export type Subject = { metadata: ObjectMeta; status?: { conditions?: Condition[] } };

const longestMessage = 1_024;

/** Sorted by type; lastTransitionTime changes only where the status does. */
export function toConditions(spoken: Record<string, Said>, { metadata, status }: Subject, now: Date): Condition[] {
  const conditions = Object.entries(spoken).map(([type, { status: next, reason, message }]): Condition => {
    const before = status?.conditions?.find((condition) => condition.type === type);
    return {
      type,
      status: next,
      reason,
      message: cut(message, longestMessage),
      lastTransitionTime: before?.status === next ? before.lastTransitionTime : toSeconds(now),
      ...(metadata.generation !== undefined && { observedGeneration: metadata.generation }),
    };
  });
  return conditions.sort((a, b) => (a.type < b.type ? -1 : 1));
}

/** At most so long. Half a character would be stored as another one, and be written again and again. */
export function cut(text: string, most: number): string {
  return text.slice(0, most).toWellFormed();
}

/** RFC 3339 without fractions, as Kubernetes writes times. */
export function toSeconds(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, "Z");
}

/** For kstatus, by which helm, Flux and Argo wait. `Stalled`: only a person can help. */
export function sayForTools<Reason extends string>(
  ready: Said<Reason>,
  state: "settled" | "working" | "stalled",
): Record<"Reconciling" | "Stalled", Said<Reason | "NothingToDo">> {
  const quiet: Said<"NothingToDo"> = { status: "False", reason: "NothingToDo", message: "" };
  const loud: Said<Reason> = { status: "True", reason: ready.reason, message: ready.message };
  return { Reconciling: state === "working" ? loud : quiet, Stalled: state === "stalled" ? loud : quiet };
}

/** All that was said, and that nothing is done: the annotation heliograph.dev/paused is set. Without Ready it would look finished. */
export function pausedConditions(subject: Subject, now: Date): Condition[] {
  const said = { reason: "Paused", message: "the annotation heliograph.dev/paused is set" };
  const kept = (subject.status?.conditions ?? []).filter(({ type }) => type !== "ReconciliationPaused");
  const isFirst = !kept.some(({ type }) => type === "Ready");
  const spoken: Record<string, Said> = {
    ReconciliationPaused: { status: "True", ...said },
    ...(isFirst && { Ready: { status: "Unknown", ...said } }),
  };
  return [...kept, ...toConditions(spoken, subject, now)].sort((a, b) => (a.type < b.type ? -1 : 1));
}
