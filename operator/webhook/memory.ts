// What the operator remembers of a subscription between two looks and may forget: the next look finds it out again.
import type { Key } from "../runtime/objects.ts";
import type { Trial } from "../trial.ts";

export type SubscriptionMemory = {
  applied: { fingerprint: string; atMs: number } | undefined;
  applying: Trial | undefined;
  removing: Trial | undefined;
  /** The annotation, as it was when it was last looked at. */
  reconcileAt: string | undefined;
  /** Monotonic; a new process lets ten minutes go by, as if it had written them. */
  figuresWrittenAtMs: number;
};

export type Memories = { of(key: Key): SubscriptionMemory; forget(key: Key): void };

export function createMemories(nowMs: () => number): Memories {
  const memories = new Map<Key, SubscriptionMemory>();
  return {
    of(key) {
      const memory = memories.get(key) ?? {
        applied: undefined,
        applying: undefined,
        removing: undefined,
        reconcileAt: undefined,
        figuresWrittenAtMs: nowMs(),
      };
      memories.set(key, memory);
      return memory;
    },
    forget: (key) => void memories.delete(key),
  };
}
