// Leader election by a Lease, with client-go's rules: others are judged by how long we have seen no renewal, never by their clock, and
// who could not renew within the deadline stops by itself before anybody else may begin.
import type { Logger } from "pino";
import { type Campaign, createCampaign } from "./campaign.ts";
import type { Client } from "./client.ts";
import { type Clock, pause, type Random } from "./clock.ts";
import type { RuntimeMetrics } from "./metrics.ts";
import { createTenure, type Moment } from "./tenure.ts";

export type LeaderTiming = {
  /** Others wait so long after the last renewal they saw; whole seconds. */
  leaseSeconds: number;
  /** The leader gives up so long after the start of its last good renewal. */
  renewDeadlineMs: number;
  retryMs: number;
};

type LeaderOptions = {
  client: Client;
  namespace: string;
  /** Of the Lease. */
  name: string;
  /** Unlike that of any other process, also of this pod's last life. */
  identity: string;
  clock: Clock;
  random: Random;
  metrics: RuntimeMetrics;
  log: Logger;
  timing?: LeaderTiming;
};

export type Leader = AsyncDisposable & {
  /** Resolves with the term when this process leads. */
  elected: Promise<number>;
  /** Resolves when it leads no more without having been told to stop: the process must end, for a clean state. */
  lost: Promise<void>;
  /** The term, if this process may write now; asked before each write. */
  term(): number | undefined;
};

const defaultTiming: LeaderTiming = { leaseSeconds: 15, renewDeadlineMs: 10_000, retryMs: 2_000 };

/** Takes part until disposed, which gives the lease back. */
export function takePart(options: LeaderOptions): Leader {
  const { clock, log, metrics, name, random, timing = defaultTiming } = options;
  const campaign = createCampaign({ ...options, leaseSeconds: timing.leaseSeconds });
  const tenure = createTenure(clock, timing.renewDeadlineMs, lose);
  const elected = Promise.withResolvers<number>();
  const lost = Promise.withResolvers<void>();
  const stopping = new AbortController();

  function win(term: number, started: Moment): void {
    if (!tenure.hasBegun()) log.info({ lease: name, term }, "became leader");
    tenure.renew(term, started);
    metrics.leader.set({ name }, 1);
    elected.resolve(term);
  }

  function lose(): void {
    if (!tenure.hasBegun()) return;
    log.error({ lease: name }, "is leader no more");
    stop();
    lost.resolve();
  }

  function stop(): void {
    tenure.end();
    stopping.abort();
    metrics.leader.set({ name }, 0);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const started = tenure.moment();
      try {
        const won = await attempt(campaign, { clock, timing }, stopping.signal);
        // A renewal that comes back too late renews nothing: meanwhile another may have begun.
        const isTooLate = tenure.hasBegun() && tenure.term() === undefined;
        if (won === undefined || isTooLate) lose();
        else if (!stopping.signal.aborted) win(won, started);
      } catch (error) {
        if (!stopping.signal.aborted) log.warn({ err: error, lease: name }, "lease was neither read nor renewed");
      }
      const jitter = tenure.hasBegun() ? 0 : random() / 5;
      await pause(clock, timing.retryMs * (1 + jitter), stopping.signal);
    }
  }

  metrics.leader.set({ name }, 0);
  const finished = run();
  return {
    elected: elected.promise,
    lost: lost.promise,
    term: tenure.term,
    async [Symbol.asyncDispose]() {
      const leads = tenure.term() !== undefined;
      stop();
      await finished;
      if (!leads) return;
      await campaign
        .release()
        .catch((error: unknown) => log.warn({ err: error, lease: name }, "lease was not given back"));
    },
  };
}

/** A request that is never answered leaves time for another within the deadline. */
async function attempt(
  campaign: Campaign,
  { clock, timing }: { clock: Clock; timing: LeaderTiming },
  stopping: AbortSignal,
): Promise<number | undefined> {
  const [ended, late] = [new AbortController(), new AbortController()];
  void pause(clock, (timing.renewDeadlineMs - timing.retryMs) / 2, ended.signal).then(() => late.abort());
  try {
    return await campaign.attempt(AbortSignal.any([stopping, late.signal]));
  } finally {
    ended.abort();
  }
}
