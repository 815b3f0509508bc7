// Standbys that did not take their number over in time. What is remembered of one is written on the pod that serves on: it lives as
// long as that pod does, and every operator finds it there.
import { isRecord } from "../runtime/objects.ts";
import type { GivenUp } from "./facts.ts";

/** Times are doubled with each standby in a row, from the class' standbyTimeoutSeconds on. */
const longestRetryMs = 3_600_000;

/** After a standby was given up for the `tries`-th time in a row. */
export function retryAfterMs(tries: number, standbyTimeoutMs: number): number {
  return Math.max(standbyTimeoutMs, Math.min(longestRetryMs, standbyTimeoutMs * 2 ** Math.min(tries - 1, 12)));
}

/** For an annotation. */
export function toMark(gaveUp: GivenUp): string {
  return JSON.stringify({ ...gaveUp, retryAt: gaveUp.retryAt.toISOString() });
}

/** Undefined for what we have not written. */
export function fromMark(mark: string | undefined): GivenUp | undefined {
  const value = mark === undefined ? undefined : parse(mark);
  if (!isRecord(value)) return undefined;
  const { epoch, specHash, tries, why, retryAt } = value;
  if (typeof epoch !== "number" || typeof tries !== "number") return undefined;
  if (typeof specHash !== "string" || typeof why !== "string" || typeof retryAt !== "string") return undefined;
  const at = new Date(retryAt);
  return Number.isNaN(at.getTime()) ? undefined : { epoch, specHash, tries, why, retryAt: at };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
