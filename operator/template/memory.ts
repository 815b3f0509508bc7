// What the operator remembers of a template between two looks and may forget: the next look finds it out again, only later.
import type { Key } from "../runtime/objects.ts";
import type { Refusals } from "./facts.ts";

export type TemplateMemory = {
  refusals: Refusals;
  /** What was handed in, until it is seen in the status. */
  submitted: { hash: string; at: Date } | undefined;
  /** The annotation as it was when the refusals came about. */
  reconcileAt: string | undefined;
};

export type TemplateMemories = { of(key: Key): TemplateMemory; forget(key: Key): void };

export function createMemories(): TemplateMemories {
  const memories = new Map<Key, TemplateMemory>();
  return {
    of(key) {
      const memory = memories.get(key) ?? { refusals: {}, submitted: undefined, reconcileAt: undefined };
      memories.set(key, memory);
      return memory;
    },
    forget: (key) => void memories.delete(key),
  };
}
