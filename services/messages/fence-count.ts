// Counts what the leases refuse: calls of holders whose term is over, and of pods of epochs that are over. None of them changed anything.
import { ServiceError } from "#lib/errors.ts";
import type { Metrics } from "./metrics.ts";

/** The same handler, counted under `call`. */
export function countFenced<Request, Reply>(
  { fenceRejections }: Pick<Metrics, "fenceRejections">,
  call: string,
  handle: (request: Request) => Promise<Reply>,
): (request: Request) => Promise<Reply> {
  return async (request) => {
    try {
      return await handle(request);
    } catch (error) {
      if (error instanceof ServiceError && error.reason === "fenced") fenceRejections.inc({ call });
      throw error;
    }
  };
}
