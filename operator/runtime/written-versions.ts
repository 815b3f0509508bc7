// Read your writes: a key is not decided on again before the cache has seen what was last written for it. A cache that lags makes a
// second pod otherwise.
import { isAtLeast, type Key } from "./objects.ts";
import type { Store } from "./store.ts";

export type WrittenVersions = {
  /** Remembers the version of an object that was written for the sake of `key`, of the kind that `store` holds. */
  remember(key: Key, store: Versioned, resourceVersion: string): void;
  /** Whether every cache has what was written for the key. */
  isCaughtUp(key: Key): boolean;
  /** The key is gone. */
  forget(key: Key): void;
};

type Versioned = Pick<Store<unknown>, "version">;

export function createWrittenVersions(): WrittenVersions {
  const written = new Map<Key, Map<Versioned, string>>();
  return {
    remember(key, store, resourceVersion) {
      const versions = written.get(key) ?? new Map<Versioned, string>();
      const before = versions.get(store);
      if (before === undefined || isAtLeast(resourceVersion, before)) versions.set(store, resourceVersion);
      written.set(key, versions);
    },
    isCaughtUp(key) {
      const versions = written.get(key);
      if (versions === undefined) return true;
      for (const [store, version] of versions) {
        const reached = store.version();
        if (reached === undefined || !isAtLeast(reached, version)) return false;
      }
      written.delete(key);
      return true;
    },
    forget: (key) => void written.delete(key),
  };
}
