// Keys that become due later. Each key is here once, with the earliest of its times and the most urgent of its priorities.
import type { Clock } from "./clock.ts";
import { moreUrgent, type Priority } from "./due-keys.ts";
import type { Key } from "./objects.ts";

export type DelayedKeys = {
  add(key: Key, priority: Priority, afterMs: number): void;
  drop(key: Key): void;
  clear(): void;
};

type Delayed = { cancel: () => void; atMs: number; priority: Priority };

export function createDelayedKeys(clock: Clock, onDue: (key: Key, priority: Priority) => void): DelayedKeys {
  const delayed = new Map<Key, Delayed>();
  const drop = (key: Key): void => {
    delayed.get(key)?.cancel();
    delayed.delete(key);
  };
  return {
    add(key, priority, afterMs) {
      const atMs = clock.monotonicMs() + afterMs;
      const before = delayed.get(key);
      const most = moreUrgent(priority, before?.priority ?? priority);
      if (before !== undefined && before.atMs <= atMs) {
        before.priority = most;
        return;
      }
      drop(key);
      const entry = { atMs, priority: most, cancel: (): void => undefined };
      entry.cancel = clock.after(afterMs, () => {
        delayed.delete(key);
        onDue(key, entry.priority);
      });
      delayed.set(key, entry);
    },
    drop,
    clear() {
      for (const key of delayed.keys()) drop(key);
    },
  };
}
