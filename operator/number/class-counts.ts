// Counts the numbers of each class as they are being looked at.
import type { Key } from "../runtime/objects.ts";

/** What one number adds to the counts of its class. */
export type Standing = {
  className: string;
  /** A newer pod waits for the lease that an older one holds. */
  isMoving: boolean;
  /** A newer pod waits for the lease of one that has gone silent. */
  isTakingOver: boolean;
  /** Its newest pod is of the wished spec. */
  isMoved: boolean;
  isReady: boolean;
};

export type Counts = {
  size: number;
  moving: number;
  takingOver: number;
  moved: number;
  movedUnready: number;
  /** When a moved number last became Ready, monotonic. */
  lastReadyMs: number;
};

export type ClassCounts = {
  /** Undefined: the number is gone, or has no pod. */
  note(key: Key, standing: Standing | undefined): void;
  of(className: string): Readonly<Counts>;
};

export function createClassCounts(nowMs: () => number): ClassCounts {
  const standings = new Map<Key, Standing>();
  const counts = new Map<string, Counts>();

  function of(className: string): Counts {
    const none = { size: 0, moving: 0, takingOver: 0, moved: 0, movedUnready: 0, lastReadyMs: nowMs() };
    const found = counts.get(className) ?? none;
    counts.set(className, found);
    return found;
  }

  function add({ className, isMoving, isTakingOver, isMoved, isReady }: Standing, sign: 1 | -1): void {
    const each = of(className);
    each.size += sign;
    if (isMoving) each.moving += sign;
    if (isTakingOver) each.takingOver += sign;
    if (isMoved) each.moved += sign;
    if (isMoved && !isReady) each.movedUnready += sign;
  }

  return {
    of,
    note(key, standing) {
      const before = standings.get(key);
      if (before !== undefined) add(before, -1);
      if (standing === undefined) return void standings.delete(key);
      standings.set(key, standing);
      add(standing, 1);
      const wasReady = before?.isMoved === true && before.isReady;
      if (standing.isMoved && standing.isReady && !wasReady) of(standing.className).lastReadyMs = nowMs();
    },
  };
}
