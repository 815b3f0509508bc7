// What the operator remembers of an account between two looks and may forget: the next look finds it out again.
import type { Key } from "../runtime/objects.ts";
import type { Trial } from "../trial.ts";
import type { UpstreamFacts } from "./facts.ts";

export type AccountMemory = {
  /** Of the request that messages took. */
  declaredHash: string | undefined;
  declaring: Trial | undefined;
  subscribing: Trial | undefined;
  reading: { facts: UpstreamFacts; address: string; fingerprint: string; atMs: number } | undefined;
  /** When WhatsApp was asked, monotonic; not kept for long. */
  readTimes: readonly number[];
  /** The last try to ask WhatsApp, if it failed. */
  failing: Trial | undefined;
  /** Of spec and credentials, and when it last changed under our eyes; monotonic. */
  fingerprint: string | undefined;
  changedAtMs: number;
  newsAtMs: number;
  /** The annotation, as it was when it was last looked at. */
  reconcileAt: string | undefined;
};

export type Memories = { of(key: Key): AccountMemory; forget(key: Key): void };

export function createMemories(): Memories {
  const memories = new Map<Key, AccountMemory>();
  return {
    of(key) {
      const memory = memories.get(key) ?? {
        declaredHash: undefined,
        declaring: undefined,
        subscribing: undefined,
        reading: undefined,
        readTimes: [],
        failing: undefined,
        fingerprint: undefined,
        changedAtMs: -Infinity,
        newsAtMs: -Infinity,
        reconcileAt: undefined,
      };
      memories.set(key, memory);
      return memory;
    },
    forget: (key) => void memories.delete(key),
  };
}
