// Outcomes on their way to the ledger. They are facts: asked again until the messages service has them, kept in memory until then.
import type { Client } from "#lib/grpc.ts";
import { sleep } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import type { MessagesService, Outcome } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { type Backoff, backoffMs } from "./domain/backoff.ts";
import { isHopeless } from "./errors.ts";
import { createGatherer } from "./gather.ts";

export type Receipts = {
  add(outcome: Outcome): void;
  /** Messages whose outcome the ledger may not know yet. */
  pendingIds(): Iterable<string>;
  pending(): number;
  /** Resolves when all are written, or when the signal aborts. */
  flush(signal: AbortSignal): Promise<void>;
};

type Options = {
  phoneNumberId: string;
  term: bigint;
  messages: Client<typeof MessagesService>;
  log: Log;
  /** Ends the asking; what is not written then is lost, and the messages become unknown. */
  signal: AbortSignal;
  onWritten: (outcome: Outcome) => void;
};

const batch = 64;
const lingerMs = 10;
const deadlineMs = 3_000;
const retry: Backoff = { firstMs: 100, factor: 2, maxMs: 5_000 };

export function createReceipts({ phoneNumberId, term, messages, log, signal, onWritten }: Options): Receipts {
  const pending = new Map<Outcome, Promise<void>>();

  async function finish(outcomes: readonly Outcome[]): Promise<void> {
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        await messages.finish({ phoneNumberId, term, outcomes: [...outcomes] }, { deadlineMs, signal });
        return;
      } catch (error) {
        if (isHopeless(error)) return await finishOneByOne(outcomes, error);
        log[failures === 1 ? "warn" : "debug"](
          { err: error, outcomes: outcomes.length },
          "outcomes could not be reported, will try again",
        );
        await sleep(backoffMs(retry, failures, Math.random()), signal);
      }
    }
  }

  /** One bad outcome must not block the others. */
  async function finishOneByOne(outcomes: readonly Outcome[], error: unknown): Promise<void> {
    const [only] = outcomes;
    if (outcomes.length > 1) for (const outcome of outcomes) await finish([outcome]);
    else
      log.error({ err: error, messageId: only?.messageId, kind: only?.kind.case }, "outcome was not accepted, dropped");
  }

  const gatherer = createGatherer<Outcome, true>({
    max: batch,
    lingerMs,
    async run(outcomes) {
      await finish(outcomes);
      return outcomes.map(() => true as const);
    },
  });

  async function write(outcome: Outcome): Promise<void> {
    await gatherer.add(outcome);
    pending.delete(outcome);
    onWritten(outcome);
  }

  return {
    add(outcome) {
      pending.set(outcome, write(outcome));
    },
    pendingIds: () => [...pending.keys()].map(({ messageId }) => messageId),
    pending: () => pending.size,
    async flush(until) {
      const aborted = new Promise<void>((resolve) => {
        if (until.aborted) resolve();
        else until.addEventListener("abort", () => resolve(), { once: true });
      });
      await Promise.race([Promise.all(pending.values()), aborted]);
    },
  };
}
