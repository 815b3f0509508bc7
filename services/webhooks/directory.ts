// The subscriptions as this process knows them. A change made through another copy is seen a second later at most.
import type { Queryable } from "#lib/postgres.ts";
import { listSubscriptions, type Subscription } from "./subscription-store.ts";

export type Directory = {
  known(): readonly Subscription[];
  /** Loads them again if what is known is a second old. */
  ensureFresh(): Promise<void>;
  /** Loads them again; what was changed before the call is known when it resolves. */
  reload(): Promise<void>;
};

const maxAgeMs = 1_000;

export function createDirectory({ db }: { db: Queryable }): Directory {
  let known: readonly Subscription[] = [];
  let loadedAt = Number.NEGATIVE_INFINITY;
  let last: Promise<void> = Promise.resolve();

  async function load(): Promise<void> {
    const startedAt = performance.now();
    known = await listSubscriptions(db);
    loadedAt = startedAt;
  }

  /** One after the other, so that an older answer never replaces a newer one. */
  function reload(): Promise<void> {
    const loading = last.then(load);
    last = loading.catch(() => undefined);
    return loading;
  }

  return {
    known: () => known,
    reload,
    async ensureFresh() {
      if (performance.now() - loadedAt >= maxAgeMs) await reload();
    },
  };
}
