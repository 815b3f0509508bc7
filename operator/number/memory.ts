// What the operator remembers of a number between two looks and may forget: the next look finds it out again, only later.
import type { Key } from "../runtime/objects.ts";
import type { Answer, QualityFacts, Refusals, Registration } from "./facts.ts";

export type NumberMemory = {
  refusals: Refusals;
  registration: Registration | undefined;
  quality: { answer: Answer<QualityFacts | undefined>; askedAtMs: number; knownAtMs: number } | undefined;
  /** When the used part of the limit was last written, monotonic. */
  usedWrittenAtMs: number;
  /** When the first unanswered change of the spec was seen, monotonic. */
  editedAtMs: number | undefined;
  /** The epoch that was begun, when and why; until it holds the lease. */
  takeover: { epoch: number; cause: string; atMs: number } | undefined;
};

export type Memories = {
  of(key: Key): NumberMemory;
  forget(key: Key): void;
  /** Pods that ended under our eyes. */
  endedUids: ReadonlySet<string>;
  noteEnd(podUid: string): void;
  /** When the pod was first asked for here, monotonic: the clock that made it may be another. */
  seenSinceMs(podUid: string, nowMs: number): number;
};

const mostEnded = 10_000;
const mostSeen = 20_000;

export function createMemories(): Memories {
  const memories = new Map<Key, NumberMemory>();
  const endedUids = new Set<string>();
  const seenSince = new Map<string, number>();
  return {
    of(key) {
      const memory = memories.get(key) ?? {
        refusals: {},
        registration: undefined,
        quality: undefined,
        usedWrittenAtMs: -Infinity,
        editedAtMs: undefined,
        takeover: undefined,
      };
      memories.set(key, memory);
      return memory;
    },
    forget: (key) => void memories.delete(key),
    endedUids,
    noteEnd(podUid) {
      endedUids.add(podUid);
      const [oldest] = endedUids;
      if (endedUids.size > mostEnded && oldest !== undefined) endedUids.delete(oldest);
    },
    seenSinceMs(podUid, nowMs) {
      const sinceMs = seenSince.get(podUid) ?? nowMs;
      // The one that was asked for last is the last to go.
      seenSince.delete(podUid);
      seenSince.set(podUid, sinceMs);
      const [oldest] = seenSince.keys();
      if (seenSince.size > mostSeen && oldest !== undefined) seenSince.delete(oldest);
      return sinceMs;
    },
  };
}
