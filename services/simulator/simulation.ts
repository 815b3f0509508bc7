// The parts of a running simulator, which routes and the carrier share, and how they hang together.
import type { Registry } from "prom-client";
import type { Log } from "#lib/log.ts";
import { type Callbacks, createCallbacks } from "./callbacks.ts";
import type { Config } from "./config.ts";
import { type Chance, createChance } from "./domain/random.ts";
import { createFaults, type FaultList } from "./faults.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { createScheduler, type Scheduler } from "./scheduler.ts";
import { initialSettings, type Settings } from "./settings.ts";
import { createStore, nextSeq, type Store } from "./store.ts";
import type { World } from "./world.ts";

export type Simulation = AsyncDisposable & {
  /** Both are replaced as a whole: by a reset, and by PUT /admin/settings. */
  store: Store;
  settings: Settings;
  readonly faults: FaultList;
  readonly callbacks: Callbacks;
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  readonly metrics: Metrics;
  readonly log: Log;
  /** ms */
  readonly now: () => number;
  /** Graph's fbtrace_id, different for every error. */
  readonly nextTraceId: () => string;
  /** An id for what is made while it runs; longer than a double holds, as Meta's may be. */
  readonly nextId: () => string;
  /** Puts the world back to its start; ids go on counting. */
  readonly reset: () => void;
};

type SimulationOptions = { config: Config; world: World; now: () => number; registry: Registry; log: Log };

const firstId = 90_071_992_600_000_000n;

export function createSimulation({ config, world, now, registry, log }: SimulationOptions): Simulation {
  const metrics = createMetrics(registry, {
    waitingNews: () => callbacks.waiting(),
    messages: () => sim.store.messages.length,
  });
  const chance = createChance(config.SEED);
  const faults = createFaults(chance, (kind) => metrics.faults.inc({ kind }));
  const scheduler = createScheduler(now);
  const callbacks = createCallbacks({
    settings: () => sim.settings.webhook,
    secret: () => sim.store.app.secret,
    faults,
    chance,
    now,
    scheduler,
    metrics,
    log,
  });
  let traces = 0;
  let ids = 0n;
  const sim: Simulation = {
    store: createStore(world, now()),
    settings: initialSettings(config, world),
    faults,
    callbacks,
    scheduler,
    chance,
    metrics,
    log,
    now,
    nextTraceId() {
      traces += 1;
      return `A${sim.store.bootMs.toString(36)}${traces.toString(36).padStart(5, "0")}`;
    },
    nextId() {
      ids += 1n;
      return String(firstId + ids);
    },
    reset() {
      scheduler.clear();
      callbacks.clear();
      chance.restart();
      faults.replace([]);
      sim.settings = initialSettings(config, world);
      sim.store = createStore(world, sim.store.bootMs, nextSeq(sim.store));
      callbacks.retarget();
    },
    async [Symbol.asyncDispose]() {
      await callbacks[Symbol.asyncDispose]();
      scheduler[Symbol.dispose]();
    },
  };
  return sim;
}
