// What came of asking a service, kept so that the next look says it and does not ask again at once.
import { ServiceError } from "#lib/errors.ts";

export type Trial = {
  /** away: nobody answered, or not now. refused: an answer, though not the wished one. */
  kind: "away" | "refused";
  reason: string;
  why: string;
  /** Fingerprint of what was asked for: something else may be asked for at once. */
  of: string;
  /** Failures in a row. */
  tries: number;
  /** Monotonic. */
  retryAtMs: number;
};

const refusals = new Set(["INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "UNIMPLEMENTED"]);
const firstMs = 1_000;
const mostMs = 60_000;
const refusedMs = 600_000;

export function isRefusal(error: unknown): error is ServiceError {
  return error instanceof ServiceError && refusals.has(error.code);
}

/** Throws what is no answer of a service and no lack of one. */
export function afterFailure(error: unknown, of: string, before: Trial | undefined, nowMs: number): Trial {
  if (!(error instanceof ServiceError)) throw error;
  const { reason, message: why } = error;
  const tries = before?.of === of ? before.tries + 1 : 1;
  if (isRefusal(error)) return { kind: "refused", reason, why, of, tries, retryAtMs: nowMs + refusedMs };
  const waitMs = Math.min(mostMs, firstMs * 2 ** Math.min(tries - 1, 10));
  return { kind: "away", reason, why, of, tries, retryAtMs: nowMs + waitMs };
}

/** How long to wait before `of` may be asked for; 0: not at all. */
export function waitMs(trial: Trial | undefined, of: string, nowMs: number): number {
  return trial === undefined || trial.of !== of ? 0 : Math.max(0, trial.retryAtMs - nowMs);
}
