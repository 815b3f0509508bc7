// The parts of a running simulator, which routes and the carrier share.
import type { Log } from "#lib/log.ts";
import type { Callbacks } from "./callbacks.ts";
import type { Chance } from "./domain/random.ts";
import type { FaultList } from "./faults.ts";
import type { Metrics } from "./metrics.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Settings } from "./settings.ts";
import type { Store } from "./store.ts";

export type Simulation = {
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
  /** Puts the world back to its start; ids go on counting. */
  readonly reset: () => void;
};
