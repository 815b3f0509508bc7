// What a failed call to a peer means here.
import { ServiceError } from "#lib/errors.ts";

/** The lease has passed to another term, or this process may not have it: it must end. */
export function isFenced(error: unknown): boolean {
  return error instanceof ServiceError && error.code === "FAILED_PRECONDITION" && error.reason === "fenced";
}

const hopeless: ReadonlySet<string> = new Set(["INVALID_ARGUMENT", "UNIMPLEMENTED", "OUT_OF_RANGE", "NOT_FOUND"]);

/** The same call would fail the same way again: a bug, or a peer of another version. */
export function isHopeless(error: unknown): boolean {
  return error instanceof ServiceError && hopeless.has(error.code);
}
