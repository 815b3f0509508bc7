// Repeating a call whose repetition is harmless, because it names its message by our own id or only asks.
import { ServiceError } from "#lib/errors.ts";
import { sleep } from "#lib/lifecycle.ts";

/** Of one try; three of them and the pauses fit into the time a stopping process gives its requests. */
export const tryDeadlineMs = 2_000;

const pausesMs = [50, 250];

/** Calls again, at most twice, where the service could not be reached or did not answer in time. Throws the last error. */
export async function withRetries<T>(call: () => Promise<T>): Promise<T> {
  for (const pauseMs of pausesMs) {
    try {
      return await call();
    } catch (error) {
      if (!isPassing(error)) throw error;
      await sleep(pauseMs * (0.5 + Math.random()));
    }
  }
  return call();
}

function isPassing(error: unknown): boolean {
  return error instanceof ServiceError && (error.code === "UNAVAILABLE" || error.code === "DEADLINE_EXCEEDED");
}
