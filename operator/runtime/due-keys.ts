// Keys that are due, in the order they are to be taken: by priority, then by how long they have been waiting.
import type { Key } from "./objects.ts";

/** In the order they are taken. */
const priorities = ["urgent", "normal", "background"] as const;
/** Deletion and fencing; a change of a spec; resync and the backlog of a start. */
export type Priority = (typeof priorities)[number];

export type DueKey = { key: Key; priority: Priority; sinceMs: number };

export type DueKeys = {
  /** Whether the key is new here; one that is here already may become more urgent and keeps its time. */
  add(due: DueKey): boolean;
  take(): DueKey | undefined;
  size(): number;
  clear(): void;
};

export function createDueKeys(): DueKeys {
  const since: Record<Priority, Map<Key, number>> = { urgent: new Map(), normal: new Map(), background: new Map() };
  return {
    add({ key, priority, sinceMs }) {
      const before = priorities.find((each) => since[each].has(key));
      if (before === undefined) {
        since[priority].set(key, sinceMs);
        return true;
      }
      const after = moreUrgent(priority, before);
      if (after !== before) {
        since[after].set(key, since[before].get(key) ?? sinceMs);
        since[before].delete(key);
      }
      return false;
    },
    take() {
      for (const priority of priorities) {
        for (const [key, sinceMs] of since[priority]) {
          since[priority].delete(key);
          return { key, priority, sinceMs };
        }
      }
      return undefined;
    },
    size: () => since.urgent.size + since.normal.size + since.background.size,
    clear() {
      for (const priority of priorities) since[priority].clear();
    },
  };
}

export function moreUrgent(one: Priority, other: Priority): Priority {
  return priorities.indexOf(one) <= priorities.indexOf(other) ? one : other;
}
