// The work queue: keys that wait for a worker. A key is there once, is never in two workers, and what is asked for while a worker has
// it comes after that. Synchronous, so that a simulation can drive it: `onReady` says that `take` has something.
import { type BackoffLimits, backoffMs } from "./backoff.ts";
import type { Clock, Random } from "./clock.ts";
import { createDelayedKeys } from "./delayed-keys.ts";
import { createDueKeys, moreUrgent, type Priority } from "./due-keys.ts";
import type { RuntimeMetrics } from "./metrics.ts";
import type { Key } from "./objects.ts";
import { meterQueue } from "./queue-meter.ts";
import { tokenBucket } from "./token-bucket.ts";

export type WorkQueue = {
  /** After `afterMs`, now unless told. Of several adds the earliest and the most urgent counts. */
  add(key: Key, options?: { priority?: Priority; afterMs?: number }): void;
  /** Adds after a failure: later each time in a row, and not all at once. */
  retry(key: Key, priority?: Priority): void;
  /** Forgets the failures of a key. */
  forget(key: Key): void;
  /** The next key, which is the caller's until `done`; undefined if none is due. Fulfils every delayed add of it. */
  take(): { key: Key; priority: Priority } | undefined;
  done(key: Key): void;
  /** Keys that are due. */
  depth(): number;
  /** Called when a key has become due. One listener. */
  onReady(listener: () => void): void;
  /** Takes no more; keys that wait are dropped. */
  close(): void;
};

type QueueOptions = {
  name: string;
  clock: Clock;
  random: Random;
  metrics: RuntimeMetrics;
  backoff?: BackoffLimits;
};

const defaultBackoff: BackoffLimits = { firstMs: 1_000, mostMs: 300_000 };
const retriesOfAll = { perSecond: 100, burst: 500 };

export function createQueue({ name, clock, random, metrics, backoff = defaultBackoff }: QueueOptions): WorkQueue {
  const due = createDueKeys();
  const delayed = createDelayedKeys(clock, makeDue);
  /** Taken and not yet done, with when; and what was asked for since. */
  const taken = new Map<Key, { sinceMs: number; again?: Priority }>();
  const failures = new Map<Key, number>();
  const bucket = tokenBucket(retriesOfAll);
  const nowMs = clock.monotonicMs;
  const meter = meterQueue(name, metrics, () => Array.from(taken.values(), ({ sinceMs }) => nowMs() - sinceMs));
  let listener = (): void => undefined;
  let isClosed = false;

  function makeDue(key: Key, priority: Priority): void {
    if (isClosed) return;
    const work = taken.get(key);
    if (work !== undefined) {
      work.again = moreUrgent(priority, work.again ?? priority);
      return;
    }
    if (!due.add({ key, priority, sinceMs: nowMs() })) return;
    meter.added(due.size());
    listener();
  }

  const add: WorkQueue["add"] = (key, { priority = "normal", afterMs = 0 } = {}) => {
    if (afterMs <= 0) makeDue(key, priority);
    else if (!isClosed) delayed.add(key, priority, afterMs);
  };

  return {
    add,
    retry(key, priority = "normal") {
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      meter.retried();
      add(key, { priority, afterMs: Math.max(backoffMs(count, backoff, random), bucket.reserve(nowMs())) });
    },
    forget: (key) => void failures.delete(key),
    take() {
      const next = due.take();
      if (next === undefined) return undefined;
      delayed.drop(next.key);
      taken.set(next.key, { sinceMs: nowMs() });
      meter.taken(due.size(), nowMs() - next.sinceMs);
      return { key: next.key, priority: next.priority };
    },
    done(key) {
      const work = taken.get(key);
      if (work === undefined) throw new Error(`queue ${name}: ${key} is done but was not taken`);
      taken.delete(key);
      meter.done(nowMs() - work.sinceMs);
      if (work.again !== undefined) makeDue(key, work.again);
    },
    depth: due.size,
    onReady: (given) => void (listener = given),
    close() {
      isClosed = true;
      delayed.clear();
      due.clear();
      meter.stop();
    },
  };
}
