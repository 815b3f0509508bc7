// The cache of one kind: what the API server told last, and what that changed. Compares by uid: a new object under an old name is
// the death of the old one, whatever was missed in between.
import { createKeyIndex, type Indexes } from "./key-index.ts";
import { isAtLeast, type Key, keyOf, type Metadata } from "./objects.ts";

/** What a projection must keep of an object. */
export type Cached = { metadata: Pick<Metadata, "name" | "namespace" | "uid" | "resourceVersion"> };

export type Change<T> =
  | { type: "added"; object: T }
  | { type: "updated"; object: T; before: T }
  | { type: "deleted"; object: T };

export type Store<T> = {
  get(key: Key): T | undefined;
  keys(): Iterable<Key>;
  objects(): Iterable<T>;
  size(): number;
  lookup(index: string, value: string): T[];
  /** The newest version the cache has reached; undefined before the first list. */
  version(): string | undefined;
};

export type WritableStore<T> = Store<T> & {
  put(object: T): Change<T>[];
  remove(object: T): Change<T>[];
  /** Makes the cache equal to a whole list. */
  replaceAll(objects: readonly T[]): Change<T>[];
  reach(version: string): void;
};

export function createStore<T extends Cached>(indexes: Indexes<T> = {}): WritableStore<T> {
  const byKey = new Map<Key, T>();
  const index = createKeyIndex(indexes);
  let reached: string | undefined;

  function put(object: T): Change<T>[] {
    const key = keyOf(object.metadata);
    const before = byKey.get(key);
    if (before !== undefined) index.remove(key, before);
    byKey.set(key, object);
    index.add(key, object);
    return changeOf(before, object);
  }

  function remove({ metadata }: T): Change<T>[] {
    const key = keyOf(metadata);
    const before = byKey.get(key);
    if (before === undefined) return [];
    byKey.delete(key);
    index.remove(key, before);
    return [{ type: "deleted", object: before }];
  }

  return {
    get: (key) => byKey.get(key),
    keys: () => byKey.keys(),
    objects: () => byKey.values(),
    size: () => byKey.size,
    lookup: (name, value) =>
      Array.from(index.find(name, value), (key) => byKey.get(key)).filter((object) => object !== undefined),
    version: () => reached,
    put,
    remove,
    replaceAll(objects) {
      const listed = new Set(objects.map(({ metadata }) => keyOf(metadata)));
      const gone = Array.from(byKey).filter(([key]) => !listed.has(key));
      return [...gone.flatMap(([, object]) => remove(object)), ...objects.flatMap(put)];
    },
    reach(version) {
      if (reached === undefined || isAtLeast(version, reached)) reached = version;
    },
  };
}

function changeOf<T extends Cached>(before: T | undefined, object: T): Change<T>[] {
  if (before === undefined) return [{ type: "added", object }];
  if (before.metadata.uid !== object.metadata.uid)
    return [
      { type: "deleted", object: before },
      { type: "added", object },
    ];
  const isSame = before.metadata.resourceVersion === object.metadata.resourceVersion;
  return isSame ? [] : [{ type: "updated", object, before }];
}
