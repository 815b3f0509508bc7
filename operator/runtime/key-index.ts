// Finds keys by values of their objects.
import type { Key } from "./objects.ts";

/** Values under which an object is found, by index. */
export type Indexes<T> = Record<string, (object: T) => readonly string[]>;

export type KeyIndex<T> = {
  add(key: Key, object: T): void;
  /** The object must be the one that was added. */
  remove(key: Key, object: T): void;
  find(index: string, value: string): Iterable<Key>;
};

export function createKeyIndex<T>(indexes: Indexes<T>): KeyIndex<T> {
  const keysAt = new Map<string, Set<Key>>();
  const placesOf = (object: T): string[] =>
    Object.entries(indexes).flatMap(([index, valuesOf]) => valuesOf(object).map((value) => `${index}/${value}`));
  return {
    add(key, object) {
      for (const place of placesOf(object)) {
        const keys = keysAt.get(place) ?? new Set();
        keysAt.set(place, keys.add(key));
      }
    },
    remove(key, object) {
      for (const place of placesOf(object)) {
        const keys = keysAt.get(place);
        keys?.delete(key);
        if (keys?.size === 0) keysAt.delete(place);
      }
    },
    find: (index, value) => keysAt.get(`${index}/${value}`) ?? [],
  };
}
