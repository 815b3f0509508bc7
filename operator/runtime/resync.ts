// Looks at every object again now and then, whatever the watches said: each once in a period, spread evenly over it.
import type { Clock } from "./clock.ts";
import type { Key } from "./objects.ts";

type ResyncOptions = {
  keys: () => Iterable<Key>;
  /** Adds the key to its queue, in the background. */
  enqueue: (key: Key) => void;
  clock: Clock;
  /** 10 hours unless told. */
  periodMs?: number;
};

const slices = 600;

/** Runs until disposed. */
export function startResync({ keys, enqueue, clock, periodMs = 36_000_000 }: ResyncOptions): Disposable {
  let slice = 0;
  const tick = (): void => {
    for (const key of keys()) if (sliceOf(key) === slice) enqueue(key);
    slice = (slice + 1) % slices;
    cancel = clock.after(periodMs / slices, tick);
  };
  let cancel = clock.after(periodMs / slices, tick);
  return { [Symbol.dispose]: () => cancel() };
}

/** FNV-1a. */
function sliceOf(key: Key): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash % slices;
}
