// A lease that was granted: renews it, and says before each send whether sending is still allowed.
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Client } from "#lib/grpc.ts";
import { loop, sleep } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import type {
  LeaseGranted,
  MessagesService,
  Number,
  RenewResponse,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import { type Clocks, remainingMs, renewRetryMs } from "./domain/lease-clock.ts";
import { createProgress } from "./domain/progress.ts";
import { isFenced } from "./errors.ts";
import type { ToldStanding } from "./domain/known.ts";
import type { Metrics } from "./metrics.ts";

/** How a granted lease looks to those who send under it. */
export type Lease = {
  readonly term: bigint;
  /** The number as it was last declared. */
  number(): Number | undefined;
  /** How long sending is allowed without another renewal; 0: not at all. */
  remainingMs(): number;
  /** Renews now instead of at the next interval. */
  renewNow(): void;
};

export type KeptLease = Lease & {
  /** The loop of renewals does not turn any more, whatever is answered to them. */
  isStuck(): boolean;
  /** Nothing may be sent any more from this moment. */
  revoke(): void;
  stopRenewing(): Promise<void>;
};

type Options = {
  phoneNumberId: string;
  granted: LeaseGranted;
  /** When Acquire was asked: the lease counts from there. */
  askedAt: Clocks;
  messages: Client<typeof MessagesService>;
  clocks: () => Clocks;
  log: Log;
  metrics: Metrics;
  /** Told with each renewal; undefined before anything is sent. */
  standing: () => ToldStanding | undefined;
  onRenewed: (reply: RenewResponse) => void;
  /** Another term was granted. */
  onFenced: () => void;
};

function toWire(told: ToldStanding | undefined) {
  if (told === undefined) return {};
  const { standing, restReason, restsUntil, wasRegistered } = told;
  return {
    standing,
    restReason,
    wasRegistered,
    ...(restsUntil !== undefined && { restsUntil: timestampFromDate(restsUntil) }),
  };
}

export function keepLease(options: Options): KeptLease {
  const { phoneNumberId, granted, askedAt, messages, clocks, log, metrics, standing, onRenewed, onFenced } = options;
  const { term, stopAfterMs, renewEveryMs } = granted;
  let number = granted.number;
  let renewedAt = askedAt;
  let isRevoked = false;
  let isFirst = true;
  const progress = createProgress();

  const renewals = loop({
    name: "renew",
    intervalMs: renewEveryMs,
    log,
    async task(signal) {
      // A renewal that is not answered, and the pause after it.
      progress.turn(clocks().monotonicMs, 2 * renewEveryMs);
      if (isFirst) {
        isFirst = false;
        return;
      }
      const startedAt = clocks();
      try {
        const reply = await messages.renew(
          { phoneNumberId, term, ...toWire(standing()) },
          { deadlineMs: renewEveryMs, signal },
        );
        renewedAt = startedAt;
        number = reply.number ?? number;
        onRenewed(reply);
      } catch (error) {
        if (signal.aborted) return;
        if (isFenced(error)) return onFenced();
        metrics.renewalFailures.inc();
        log.warn({ err: error, term, remainingMs: leftMs() }, "lease was not renewed, will ask again");
        await sleep(renewRetryMs(renewEveryMs), signal);
        return "again";
      }
    },
  });

  function leftMs(): number {
    return isRevoked ? 0 : remainingMs({ renewedAt, stopAfterMs }, clocks());
  }

  return {
    term,
    number: () => number,
    remainingMs: leftMs,
    renewNow: () => renewals.wake(),
    isStuck: () => progress.isStuck(clocks().monotonicMs),
    revoke() {
      isRevoked = true;
    },
    async stopRenewing() {
      await renewals[Symbol.asyncDispose]();
    },
  };
}
