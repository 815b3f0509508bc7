// What a command says when it fails, and the exit code that goes with it.
import { inspect } from "node:util";
import { ConfigError } from "#lib/config.ts";
import { ServiceError } from "#lib/errors.ts";

export const exitCodes = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** What is wrong with the command line, in one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError || error instanceof ConfigError ? exitCodes.usage : exitCodes.failed;
}

/** A service's own words with its code and reason; a stack only for what looks like a bug. */
export function describe(error: unknown): string {
  if (error instanceof ServiceError) {
    const { code, reason, message } = error;
    const word = reason === code.toLowerCase() ? code : `${code} ${reason}`;
    return code === "INTERNAL" && error.cause !== undefined ? inspect(error.cause) : `${message} (${word})`;
  }
  if (!(error instanceof Error) || error instanceof TypeError || error instanceof ReferenceError) return inspect(error);
  return error.message;
}
