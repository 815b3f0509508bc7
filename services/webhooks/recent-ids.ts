// Remembers ids for a while: at least `keepMs` after they were added, at most twice that.

export type RecentIds = { add(id: number): void; has(id: number): boolean };

export function createRecentIds(keepMs: number): RecentIds {
  let newer = new Set<number>();
  let older = new Set<number>();
  let turnedAt = performance.now();

  return {
    add(id) {
      if (performance.now() - turnedAt >= keepMs) {
        older = newer;
        newer = new Set();
        turnedAt = performance.now();
      }
      newer.add(id);
    },
    has: (id) => newer.has(id) || older.has(id),
  };
}
