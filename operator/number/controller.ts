// The controller of WhatsAppNumbers: observe, plan, execute, and whose turn it is.
import type { Logger } from "pino";
import { createKindController } from "../kind-controller.ts";
import { whatsAppNumbers } from "../kinds.ts";
import type { OperatorMetrics } from "../metrics.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import type { Random } from "../runtime/clock.ts";
import type { Controller } from "../runtime/controller.ts";
import type { RuntimeMetrics } from "../runtime/metrics.ts";
import { keyOf } from "../runtime/objects.ts";
import { createQueue } from "../runtime/queue.ts";
import { createWrittenVersions } from "../runtime/written-versions.ts";
import type { Secrets } from "../secrets.ts";
import type { Services } from "../services.ts";
import { createStatusWriter } from "../status-writer.ts";
import type { Watches } from "../watches.ts";
import type { ClassFacts } from "./class.ts";
import { executeNumber, type ExecutorOptions, fieldManager } from "./execute.ts";
import type { ClassRules, Fleet } from "./fleet.ts";
import { createMemories } from "./memory.ts";
import { followDrains } from "./node-drains.ts";
import { numberObserver, type Observed } from "./observe.ts";
import { type NumberPlan, planNumber } from "./plan.ts";
import type { PodSettings } from "./pod.ts";
import type { Register } from "./register.ts";
import { countedOf, standingAfter, standingOf } from "./standing.ts";
import { createWaiters, type Waiters } from "./waiters.ts";
import { wakeNumbers } from "./wakes.ts";

export type NumberControllerOptions = Omit<ExecutorOptions, "watches" | "writer" | "written"> & {
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

/** Collects keys from now on, works from start() on. Must be made before anything is awaited after the watches began. */
export function createNumberController(options: NumberControllerOptions): Controller {
  const { client, watches, clock, random, metrics, operatorMetrics, recorder, fleet, settings, services } = options;
  const { store } = watches.numbers;
  const name = "number";
  const queue = createQueue({ name, clock, random, metrics });
  const memories = createMemories();
  const drains = followDrains(watches.nodes, clock);
  const waiters = createWaiters(fleet, (key) => queue.add(key));
  const written = createWrittenVersions();
  const writer = createStatusWriter({
    client,
    resource: whatsAppNumbers,
    store,
    written,
    recorder,
    fieldManager,
    told: ["Registered"],
    toldFaults: ["Conflict", "Degraded"],
  });
  wakeNumbers({ ...options, memories, queue });
  const observer = numberObserver({ ...options, drains, memories, settings, quality: services.quality });
  const executor = { ...options, writer, written };
  const controller = createKindController<Observed, NumberPlan>({
    ...options,
    name,
    kind: whatsAppNumbers.kind,
    queue,
    store,
    written,
    workers,
    observe: (work) => observer.observe(work),
    plan: (observed) => decide(observed, options, waiters),
    execute({ facts: observed, plan }, work) {
      noteTakeover(observed, operatorMetrics, clock.monotonicMs());
      return executeNumber(executor, { observed, plan }, work);
    },
    forget(key) {
      memories.forget(key);
      waiters.leave(key);
      fleet.note(key, undefined);
    },
  });
  return {
    ...controller,
    start() {
      // All are counted before the first decision: an operator that was restarted must not give away turns that others still have.
      for (const number of store.objects())
        fleet.note(keyOf(number.metadata), standingOf(countedOf(observer.count(number))));
      controller.start();
    },
  };
}

function noteTakeover({ memory, facts }: Observed, metrics: OperatorMetrics, nowMs: number): void {
  const lease = facts.register.kind === "known" ? facts.register.value?.connection : undefined;
  const { takeover } = memory;
  if (takeover === undefined || lease?.isHeld !== true || lease.epoch < takeover.epoch) return;
  metrics.takeover.observe({ cause: takeover.cause }, (nowMs - takeover.atMs) / 1_000);
  memory.takeover = undefined;
}

/** Synchronous, so that two numbers never take the same turn. */
function decide(
  { facts }: Observed,
  { fleet, settings }: Pick<NumberControllerOptions, "fleet" | "settings">,
  waiters: Waiters,
): NumberPlan {
  const key = keyOf(facts.number.metadata);
  const rules = rulesOf(facts.connectionClass, settings, fleet, facts.now);
  const standing = standingOf(countedOf(facts));
  const { name: className } = facts.connectionClass;
  fleet.note(key, standing);
  const plan = planNumber({ ...facts, ...fleet.turns(className, rules) });
  const advanced = plan.actions.find((action) => action.kind === "advance");
  if (advanced !== undefined && standing !== undefined) fleet.note(key, standingAfter(standing, advanced.why));
  return waiters.attend(key, className, rules, plan, advanced !== undefined);
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
