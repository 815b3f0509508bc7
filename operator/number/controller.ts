// The controller of WhatsAppNumbers: observe, plan, execute, and whose turn it is.
import type { Logger } from "pino";
import type { OperatorMetrics } from "../metrics.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { type Controller, createController, type Outcome, type Work } from "../runtime/controller.ts";
import type { RuntimeMetrics } from "../runtime/metrics.ts";
import { createQueue } from "../runtime/queue.ts";
import { startResync } from "../runtime/resync.ts";
import type { Watches } from "../watches.ts";
import type { ClassFacts } from "./class.ts";
import { executeNumber, type Execution, type ExecutorOptions } from "./execute.ts";
import type { Standing } from "./class-counts.ts";
import type { ClassRules, Fleet } from "./fleet.ts";
import { createMemories } from "./memory.ts";
import { followDrains } from "./node-drains.ts";
import { numberObserver, type Observed } from "./observe.ts";
import { planNumber } from "./plan.ts";
import type { PodSettings } from "./pod.ts";
import type { AdvanceReason } from "./pods.ts";
import type { Register } from "./register.ts";
import { newestOf } from "./status.ts";
import { wakeNumbers } from "./wakes.ts";
import type { Secrets } from "../secrets.ts";
import type { Services } from "../services.ts";
import { createWaiters } from "./waiters.ts";

export type NumberControllerOptions = Omit<ExecutorOptions, "watches" | "metrics"> & {
  watches: Watches;
  secrets: Secrets;
  services: Pick<Services, "quality">;
  register: Register;
  settings: PodSettings;
  fleet: Fleet;
  random: Random;
  metrics: RuntimeMetrics;
  operatorMetrics: OperatorMetrics;
  log: Logger;
};

const workers = 32;
/** While the cache has not seen yet what was written. */
const behindMs = 30;

/** Collects keys from now on, works from start() on. Must be made before anything is awaited after the watches began. */
export function createNumberController(options: NumberControllerOptions): Controller {
  const { watches, clock, random, metrics, operatorMetrics, log, fleet, written, settings, services } = options;
  const name = "number";
  const queue = createQueue({ name, clock, random, metrics });
  const memories = createMemories();
  const drains = followDrains(watches.nodes, clock);
  const waiters = createWaiters(fleet, (key) => queue.add(key));
  wakeNumbers({ ...options, memories, queue });
  const observe = numberObserver({ ...options, drains, memories, settings, quality: services.quality });
  const resync = startResync({
    keys: () => watches.numbers.store.keys(),
    enqueue: (key) => queue.add(key, { priority: "background" }),
    clock,
  });
  const executor = { ...options, metrics: operatorMetrics };
  const controller = createController<Observed | "behind", Execution | "behind">({
    name,
    queue,
    workers,
    clock,
    metrics,
    log: log.child({ kind: "WhatsAppNumber" }),
    async observe(work) {
      if (!written.isCaughtUp(work.key)) return "behind";
      const observed = await observe(work);
      if (observed === undefined) {
        memories.forget(work.key);
        written.forget(work.key);
        waiters.leave(work.key);
        fleet.note(work.key, undefined);
      }
      return observed;
    },
    plan: (observed) => (observed === "behind" ? observed : decide(observed, options, waiters)),
    execute: (execution, work) => execute(executor, execution, work, operatorMetrics, clock),
  });
  return {
    ...controller,
    async [Symbol.asyncDispose]() {
      resync[Symbol.dispose]();
      await controller[Symbol.asyncDispose]();
    },
  };
}

function execute(
  executor: ExecutorOptions,
  execution: Execution | "behind",
  work: Work,
  metrics: OperatorMetrics,
  clock: Clock,
): Promise<Outcome> {
  if (execution === "behind") return Promise.resolve({ kind: "requeue", afterMs: behindMs });
  const { memory, facts } = execution.observed;
  const lease = facts.register.kind === "known" ? facts.register.value?.connection : undefined;
  if (memory.takeover !== undefined && lease?.isHeld === true && lease.epoch >= memory.takeover.epoch) {
    metrics.takeover.observe({ cause: memory.takeover.cause }, (clock.monotonicMs() - memory.takeover.atMs) / 1_000);
    memory.takeover = undefined;
  }
  return executeNumber(executor, execution, work);
}

/** Synchronous, so that two numbers never take the same turn. */
function decide(
  observed: Observed,
  { fleet, settings }: Pick<NumberControllerOptions, "fleet" | "settings">,
  waiters: ReturnType<typeof createWaiters>,
): Execution {
  const { facts } = observed;
  const key = `${facts.number.metadata.namespace ?? ""}/${facts.number.metadata.name}`;
  const rules = rulesOf(facts.connectionClass, settings, fleet, facts.now);
  const standing = standingOf(observed);
  // A number without pods is none that moves.
  fleet.note(key, facts.pods.length === 0 ? undefined : standing);
  const plan = planNumber({ ...facts, ...fleet.turns(standing.className, rules) });
  const advanced = plan.actions.find((action) => action.kind === "advance");
  if (advanced !== undefined) fleet.note(key, standingAfter(standing, advanced.why));
  return { observed, plan: waiters.attend(key, standing.className, rules, plan, advanced !== undefined) };
}

/** From the decision on, not from when it can be seen. */
function standingAfter(standing: Standing, why: AdvanceReason): Standing {
  const isTakingOver = why === "LeaseLapsed";
  const isMoving = why === "SpecChanged" || why === "NodeDraining" || (standing.isMoving && !isTakingOver);
  return { ...standing, isMoved: true, isReady: false, isMoving, isTakingOver };
}

/** What holds for moves of the class' numbers now. */
export function rulesOf(connectionClass: ClassFacts, settings: PodSettings, fleet: Fleet, now: Date): ClassRules {
  const missing = { surge: { percent: 1, min: 1, max: 50 }, canary: undefined, revision: "", wasCanaryOver: false };
  if (connectionClass.kind === "missing") return missing;
  const { name, spec, status } = connectionClass;
  const { size } = fleet.countsOf(name);
  const { count, percent = 0, pauseSeconds } = spec.canary;
  const revision = hashOf([spec, settings]);
  const readyMs = Date.parse(status?.rollout?.canaryReadyTime ?? "");
  const isSame = status?.rollout?.revision === revision;
  const wasCanaryOver = isSame && readyMs + pauseSeconds * 1_000 <= now.getTime();
  return {
    surge: spec.surge,
    canary: { count: count ?? Math.max(1, Math.ceil((size * percent) / 100)), pauseMs: pauseSeconds * 1_000 },
    revision,
    wasCanaryOver,
  };
}

function standingOf({ facts }: Observed): Standing {
  const { connectionClass, register, pods, specHash, number } = facts;
  const epoch = number.status?.connection?.epoch ?? 0;
  const lease = register.kind === "known" ? register.value?.connection : undefined;
  const newest = newestOf(pods);
  const waits = lease?.isHeld === true && lease.epoch < epoch;
  return {
    className: connectionClass.name,
    isMoving: waits && lease.lapsedForMs === undefined,
    isTakingOver: waits && lease.lapsedForMs !== undefined,
    isMoved: newest !== undefined && newest.specHash === specHash,
    isReady: newest?.isReady === true && lease?.holder === newest.uid,
  };
}
