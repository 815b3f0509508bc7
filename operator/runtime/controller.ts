// Takes keys from a queue and makes each so: observe, plan, execute. Never the same key twice at a time, never for longer than its
// time limit, and never in a hurry to fail again.
import type { Logger } from "pino";
import { hasStatus } from "./api-error.ts";
import type { Clock } from "./clock.ts";
import type { Priority } from "./due-keys.ts";
import type { RuntimeMetrics } from "./metrics.ts";
import type { Key } from "./objects.ts";
import type { WorkQueue } from "./queue.ts";

export type Outcome =
  | { kind: "done" }
  /** Look again then, if nothing happens before. */
  | { kind: "requeue"; afterMs: number }
  /** Something is away or in the way: again, later each time. What is expected now and then does not count as an error. */
  | { kind: "retry"; why: string; isExpected?: boolean }
  /** Only a change of the object helps. */
  | { kind: "terminal"; why: string };

export type Work = {
  key: Key;
  /** Aborts when the time is up, when leadership is lost, and at the end of a shutdown. */
  signal: AbortSignal;
  /** Bound to the key and to this reconcile. */
  log: Logger;
};

export type Beats<Facts, Plan> = {
  /** Reads all that the decision may look at. Undefined: there is nothing to do for this key. */
  observe: (work: Work) => Promise<Facts | undefined>;
  /** Pure. */
  plan: (facts: Facts) => Plan;
  /** Makes it so. */
  execute: (plan: Plan, work: Work) => Promise<Outcome>;
};

type ControllerOptions<Facts, Plan> = Beats<Facts, Plan> & {
  name: string;
  queue: WorkQueue;
  workers: number;
  clock: Clock;
  metrics: RuntimeMetrics;
  log: Logger;
  timeLimitMs?: number;
  /** How long a stop lets reconciles end by themselves. */
  graceMs?: number;
};

export type Controller = AsyncDisposable & {
  /** Begins to work; keys were collected before that already. */
  start(): void;
  /** Ends what is in progress and begins nothing more, at once. */
  halt(): void;
};

/** Disposing lets reconciles end for `graceMs`, then aborts them, and closes the queue. */
export function createController<Facts, Plan>(options: ControllerOptions<Facts, Plan>): Controller {
  const { name, queue, workers, clock, metrics, log, graceMs = 10_000 } = options;
  const halting = new AbortController();
  const running = new Set<Promise<void>>();
  let isTaking = false;
  let lastId = 0;

  function pump(): void {
    while (isTaking && running.size < workers) {
      const next = queue.take();
      if (next === undefined) return;
      lastId += 1;
      const work = { key: next.key, log: log.child({ key: next.key, reconcileId: lastId }) };
      const reconciled = reconcile(options, work, halting.signal).then((result) => {
        running.delete(reconciled);
        metrics.activeWorkers.set({ controller: name }, running.size);
        settle(queue, next, result);
        pump();
      });
      running.add(reconciled);
      metrics.activeWorkers.set({ controller: name }, running.size);
    }
  }

  queue.onReady(pump);
  return {
    start() {
      isTaking = !halting.signal.aborted;
      pump();
    },
    halt() {
      isTaking = false;
      halting.abort();
    },
    async [Symbol.asyncDispose]() {
      isTaking = false;
      queue.close();
      const cancel = clock.after(graceMs, () => halting.abort());
      await Promise.all(running);
      cancel();
    },
  };
}

/** What follows is delayed, so that it is dropped if the key was asked for meanwhile and is taken at once. */
function settle(queue: WorkQueue, { key, priority }: { key: Key; priority: Priority }, outcome: Outcome): void {
  if (outcome.kind === "retry") queue.retry(key, priority);
  else queue.forget(key);
  if (outcome.kind === "requeue") queue.add(key, { afterMs: Math.max(1, outcome.afterMs) });
  queue.done(key);
}

/** Never rejects. */
async function reconcile<Facts, Plan>(
  options: ControllerOptions<Facts, Plan>,
  { key, log }: { key: Key; log: Logger },
  halt: AbortSignal,
): Promise<Outcome> {
  const { name: controller, clock, metrics, observe, plan, execute, timeLimitMs = 30_000 } = options;
  const own = new AbortController();
  const stop = (): void => own.abort();
  halt.addEventListener("abort", stop, { once: true });
  const cancel = clock.after(timeLimitMs, stop);
  const startedAtMs = clock.monotonicMs();
  const work: Work = { key, log, signal: own.signal };
  let outcome: Outcome;
  try {
    const facts = await observe(work);
    outcome = facts === undefined ? { kind: "done" } : await execute(plan(facts), work);
  } catch (error) {
    outcome = outcomeOf(error, log, own.signal);
  } finally {
    cancel();
    halt.removeEventListener("abort", stop);
  }
  metrics.reconcileTime.observe({ controller }, (clock.monotonicMs() - startedAtMs) / 1_000);
  count(metrics, controller, outcome);
  return outcome;
}

/** A conflict says that the cache was old, and 404 that somebody was quicker: both are looked at again, neither is an error. */
function outcomeOf(error: unknown, log: Logger, signal: AbortSignal): Outcome {
  const why = signal.aborted ? "its time was up" : error instanceof Error ? error.message : String(error);
  if (hasStatus(error, 404, 409)) {
    log.debug({ err: error }, "reconcile was overtaken");
    return { kind: "retry", why, isExpected: true };
  }
  log.warn({ err: error, why }, "reconcile failed, will try again");
  return { kind: "retry", why };
}

function count(metrics: RuntimeMetrics, controller: string, outcome: Outcome): void {
  metrics.reconciles.inc({ controller, result: resultOf(outcome) });
  if (outcome.kind === "retry" && outcome.isExpected !== true) metrics.reconcileErrors.inc({ controller });
  if (outcome.kind === "terminal") metrics.terminalErrors.inc({ controller });
}

function resultOf(outcome: Outcome): string {
  switch (outcome.kind) {
    case "done":
      return "success";
    case "requeue":
      return "requeue_after";
    case "retry":
      return outcome.isExpected === true ? "requeue" : "error";
    case "terminal":
      return "error";
  }
}
