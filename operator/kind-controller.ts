// The frame of a controller of one kind: it does not decide before its cache has what was last written for the object, and looks
// at every object again now and then.
import type { Logger } from "pino";
import type { Clock } from "./runtime/clock.ts";
import { type Controller, createController, type Outcome, type Work } from "./runtime/controller.ts";
import type { RuntimeMetrics } from "./runtime/metrics.ts";
import type { Key } from "./runtime/objects.ts";
import type { WorkQueue } from "./runtime/queue.ts";
import { startResync } from "./runtime/resync.ts";
import type { Store } from "./runtime/store.ts";
import type { WrittenVersions } from "./runtime/written-versions.ts";

type KindControllerOptions<Facts, Plan> = {
  /** Of the controller and its queue in metrics. */
  name: string;
  kind: string;
  queue: WorkQueue;
  store: Pick<Store<unknown>, "keys">;
  written: WrittenVersions;
  /** Undefined: there is no such object. */
  observe: (work: Work) => Promise<Facts | undefined>;
  plan: (facts: Facts) => Plan;
  execute: (execution: { facts: Facts; plan: Plan }, work: Work) => Promise<Outcome>;
  /** The object is no more; what was remembered of it may go. */
  forget: (key: Key) => void;
  /** 8 unless told. */
  workers?: number;
  /** Of one reconcile; the runtime's unless told. */
  timeLimitMs?: number;
  clock: Clock;
  metrics: RuntimeMetrics;
  log: Logger;
};

/** While the cache has not seen yet what was written. */
const behindMs = 30;

export function createKindController<Facts, Plan>(options: KindControllerOptions<Facts, Plan>): Controller {
  const { name, kind, queue, store, written, workers = 8, clock, metrics, log } = options;
  type Seen = { kind: "behind" } | { kind: "facts"; facts: Facts };
  type Decided = { kind: "behind" } | { kind: "plan"; facts: Facts; plan: Plan };
  const controller = createController<Seen, Decided>({
    name,
    queue,
    workers,
    clock,
    metrics,
    log: log.child({ kind }),
    ...(options.timeLimitMs !== undefined && { timeLimitMs: options.timeLimitMs }),
    async observe(work) {
      if (!written.isCaughtUp(work.key)) return { kind: "behind" };
      const facts = await options.observe(work);
      if (facts !== undefined) return { kind: "facts", facts };
      written.forget(work.key);
      options.forget(work.key);
      return undefined;
    },
    plan: (seen) => (seen.kind === "behind" ? seen : { ...seen, kind: "plan", plan: options.plan(seen.facts) }),
    execute: (decided, work) =>
      decided.kind === "behind"
        ? Promise.resolve({ kind: "requeue", afterMs: behindMs })
        : options.execute(decided, work),
  });
  const resync = startResync({
    keys: () => store.keys(),
    enqueue: (key) => queue.add(key, { priority: "background" }),
    clock,
  });
  return {
    ...controller,
    async [Symbol.asyncDispose]() {
      resync[Symbol.dispose]();
      await controller[Symbol.asyncDispose]();
    },
  };
}
