// The intent before the wire: Begin for gathered messages, asked again with the same term and attempt until it is answered.
import { isSwitchedOff } from "#lib/fault-points.ts";
import type { Client } from "#lib/grpc.ts";
import { sleep } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import type { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { type Backoff, backoffMs } from "./domain/backoff.ts";
import type { Clocks } from "./domain/lease-clock.ts";
import { isFenced, isHopeless } from "./errors.ts";
import { createGatherer, type Gatherer } from "./gather.ts";

export type Attempt = { messageId: string; attempt: number };

/** `askedAt`: when the intent may have been written first. `unanswered`: it may have been, nobody can tell. */
export type Begun = { result: "begun" | "dropped" | "fenced" | "unanswered"; askedAt: Clocks };

type Options = {
  phoneNumberId: string;
  term: bigint;
  messages: Client<typeof MessagesService>;
  clocks: () => Clocks;
  log: Log;
  /** Ends the asking. */
  signal: AbortSignal;
};

const batch = 64;
const lingerMs = 3;
const deadlineMs = 2_000;
const retry: Backoff = { firstMs: 50, factor: 2, maxMs: 1_000 };

export function createBeginning({
  phoneNumberId,
  term,
  messages,
  clocks,
  log,
  signal,
}: Options): Gatherer<Attempt, Begun> {
  async function begin(attempts: readonly Attempt[]): Promise<Begun[]> {
    const askedAt = clocks();
    const all = (result: Begun["result"]): Begun[] => attempts.map(() => ({ result, askedAt }));
    if (isSwitchedOff("intent")) return all("begun");
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        const { messageIds } = await messages.begin(
          { phoneNumberId, term, attempts: [...attempts] },
          { deadlineMs, signal },
        );
        const begun = new Set(messageIds);
        return attempts.map(({ messageId }) => ({ result: begun.has(messageId) ? "begun" : "dropped", askedAt }));
      } catch (error) {
        // A fence that answers the first call is certain that it wrote nothing; after a lost answer that is open.
        if (isFenced(error)) return all(failures === 1 ? "fenced" : "unanswered");
        log[failures === 1 ? "warn" : "debug"](
          { err: error, attempts: attempts.length },
          "messages could not be begun",
        );
        if (isHopeless(error)) break;
        await sleep(backoffMs(retry, failures, Math.random()), signal);
      }
    }
    return all("unanswered");
  }

  return createGatherer({ max: batch, lingerMs, run: begin });
}
