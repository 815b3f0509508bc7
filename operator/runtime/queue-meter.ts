// The metrics of one work queue, under the names that client-go gave them.
import type { RuntimeMetrics } from "./metrics.ts";

export type QueueMeter = {
  /** `depth` counts the keys that are due. */
  added(depth: number): void;
  taken(depth: number, waitedMs: number): void;
  done(workedMs: number): void;
  retried(): void;
  /** The queue is empty for good. */
  stop(): void;
};

/** `agesMs` tells how long workers have had the keys that they have now. */
export function meterQueue(name: string, metrics: RuntimeMetrics, agesMs: () => number[]): QueueMeter {
  const stops = [
    metrics.unfinishedWork.follow(name, () => agesMs().reduce((sum, ageMs) => sum + ageMs, 0) / 1_000),
    metrics.longestWork.follow(name, () => Math.max(0, ...agesMs()) / 1_000),
  ];
  return {
    added(depth) {
      metrics.queueAdds.inc({ name });
      metrics.queueDepth.set({ name }, depth);
    },
    taken(depth, waitedMs) {
      metrics.queueDepth.set({ name }, depth);
      metrics.queueWait.observe({ name }, waitedMs / 1_000);
    },
    done: (workedMs) => metrics.queueWork.observe({ name }, workedMs / 1_000),
    retried: () => metrics.queueRetries.inc({ name }),
    stop() {
      metrics.queueDepth.set({ name }, 0);
      for (const stop of stops) stop();
    },
  };
}
