// Keeps a cache of one kind equal to the API server, for ever: lists, watches from there, and whatever ends a watch, begins the next
// from the last version. A version the server no longer has costs a new list; nothing costs an event.
import type { Logger } from "pino";
import { type BackoffLimits, backoffMs } from "./backoff.ts";
import type { Client, Selection } from "./client.ts";
import { type Clock, pause, type Random } from "./clock.ts";
import type { Indexes } from "./key-index.ts";
import type { RuntimeMetrics } from "./metrics.ts";
import { isAtLeast, type KubeObject, type Resource } from "./objects.ts";
import { type Cached, type Change, createStore, type Store, type WritableStore } from "./store.ts";
import { endOf, watchOnce } from "./watch.ts";
import { parseWatchEvent } from "./watch-event.ts";

export type Reflector<T> = AsyncDisposable & {
  resource: Resource;
  selection: Selection;
  store: Store<T>;
  /** Resolves after the first list; never, if disposed before. */
  synced: Promise<void>;
  /** Since the API server was last heard of on this watch; above 120 s the cache may be blind. */
  ageMs(): number;
  /** Lists again, because the cache was found to be wrong. */
  relist(): void;
};

export type ReflectorTiming = {
  pageSize: number;
  /** A watch lasts a random time between these two, so that watches do not all begin again at once. */
  shortestWatchSeconds: number;
  longestWatchSeconds: number;
  /** Without a byte for so long a watch is dead; bookmarks come each minute. */
  idleMs: number;
  backoff: BackoffLimits;
  /** A watch that lived so long, or ended by its own time, makes earlier failures forgotten. */
  healthyMs: number;
  /** At most so long a list waits after the server has lost its history: all kinds, and all operators, list then. */
  relistJitterMs: number;
};

type ReflectorOptions<T> = {
  client: Client;
  resource: Resource;
  selection?: Selection;
  /** Keeps what is needed of an object; runs once for each version of it. */
  project: (object: KubeObject) => T;
  indexes?: Indexes<T>;
  /** Computes keys and enqueues them: never awaits, never throws. Called when the cache has the change. */
  onChange: (change: Change<T>) => void;
  clock: Clock;
  random: Random;
  metrics: RuntimeMetrics;
  log: Logger;
  timing?: Partial<ReflectorTiming>;
};

const defaultTiming: ReflectorTiming = {
  pageSize: 500,
  shortestWatchSeconds: 290,
  longestWatchSeconds: 580,
  idleMs: 100_000,
  backoff: { firstMs: 800, mostMs: 30_000 },
  healthyMs: 120_000,
  relistJitterMs: 500,
};

/** Runs until disposed. */
export function startReflector<T extends Cached>(options: ReflectorOptions<T>): Reflector<T> {
  const { resource, selection = {}, clock, metrics } = options;
  const store = createStore(options.indexes);
  const stopping = new AbortController();
  const synced = Promise.withResolvers<void>();
  let heardAtMs = clock.monotonicMs();
  let relist = new AbortController();
  const loop = reflect({
    ...options,
    selection,
    timing: { ...defaultTiming, ...options.timing },
    store,
    signal: stopping.signal,
    relistSignal: () => relist.signal,
    onList: () => void (relist = new AbortController()),
    onHeard: () => void (heardAtMs = clock.monotonicMs()),
    onSynced: synced.resolve,
  });
  const ageMs = (): number => clock.monotonicMs() - heardAtMs;
  const stopMeasuring = metrics.watchAge.follow(resource.kind, () => ageMs() / 1_000);
  return {
    resource,
    selection,
    store,
    synced: synced.promise,
    ageMs,
    relist: () => relist.abort(),
    async [Symbol.asyncDispose]() {
      stopMeasuring();
      stopping.abort();
      await loop;
    },
  };
}

type Reflection<T> = Omit<ReflectorOptions<T>, "timing" | "selection"> & {
  selection: Selection;
  timing: ReflectorTiming;
  store: WritableStore<T>;
  signal: AbortSignal;
  /** Of now: aborted when a list is asked for, until one begins. */
  relistSignal: () => AbortSignal;
  onList: () => void;
  onHeard: () => void;
  onSynced: () => void;
};

async function reflect<T extends Cached>(reflection: Reflection<T>): Promise<void> {
  const { resource, timing, clock, random, metrics, log, signal, onSynced } = reflection;
  const { kind } = resource;
  let failures = 0;
  /** Where the next watch begins; undefined asks for a list. */
  let from: string | undefined;
  const backOff = (): Promise<void> => pause(clock, backoffMs(++failures, timing.backoff, random), signal);
  while (!signal.aborted) {
    if (from === undefined) {
      try {
        from = await list(reflection);
        onSynced();
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ err: error, kind }, "list failed, will list again");
        metrics.watchRestarts.inc({ kind, reason: `list_${endOf(error)}` });
        await backOff();
      }
      continue;
    }
    const startedAtMs = clock.monotonicMs();
    const { end, version } = await watch(reflection, from);
    if (signal.aborted) return;
    metrics.watchRestarts.inc({ kind, reason: end });
    const mustList = end === "gone" || end === "stopped";
    from = mustList ? undefined : version;
    if (end === "timeout" || clock.monotonicMs() - startedAtMs >= timing.healthyMs) failures = 0;
    // The first list comes at once; a server that has no version for long is given time.
    if (mustList && failures++ === 0) await pause(clock, timing.relistJitterMs * random(), signal);
    else if (end !== "timeout") await backOff();
  }
}

/** Returns the version that the whole list has. */
async function list<T extends Cached>(reflection: Reflection<T>): Promise<string> {
  const { client, resource, selection, timing, store, signal, onHeard, onList } = reflection;
  const objects: T[] = [];
  let next: string | undefined;
  onList();
  for (;;) {
    const page = await client.list(resource, { ...selection, limit: timing.pageSize, continue: next, signal });
    onHeard();
    objects.push(...page.items.map((item) => projected(reflection, item)).filter((object) => object !== undefined));
    next = page.continue;
    if (next !== undefined) continue;
    const changes = store.replaceAll(objects);
    store.reach(page.resourceVersion);
    tell(reflection, changes);
    return page.resourceVersion;
  }
}

async function watch<T extends Cached>(reflection: Reflection<T>, from: string) {
  const { timing, random, signal, relistSignal } = reflection;
  const { shortestWatchSeconds: shortest, longestWatchSeconds: longest } = timing;
  let version = from;
  const end = await watchOnce({
    ...reflection,
    resourceVersion: from,
    timeoutSeconds: Math.round(shortest + (longest - shortest) * random()),
    idleMs: timing.idleMs,
    onLine: (line) => void (version = take(reflection, line, version)),
    signal: AbortSignal.any([signal, relistSignal()]),
  });
  return { end, version };
}

/** Takes what is newer than `version` and returns the version reached; a repetition of what is known changes nothing. */
function take<T extends Cached>(reflection: Reflection<T>, line: string, version: string): string {
  const { resource, store } = reflection;
  const event = parseWatchEvent(line, resource);
  const isBookmark = event.type === "BOOKMARK";
  const reached = isBookmark ? event.resourceVersion : event.object.metadata.resourceVersion;
  if (isAtLeast(version, reached)) return version;
  const object = isBookmark ? undefined : projected(reflection, event.object);
  const changes = object === undefined ? [] : event.type === "DELETED" ? store.remove(object) : store.put(object);
  store.reach(reached);
  tell(reflection, changes);
  return reached;
}

/** An object that cannot be projected is a bug, and must not hold up the others: it is left out. */
function projected<T extends Cached>({ project, resource, log }: Reflection<T>, object: KubeObject): T | undefined {
  try {
    return project(object);
  } catch (error) {
    const { namespace, name } = object.metadata;
    log.error({ err: error, kind: resource.kind, namespace, name }, "object was left out");
    return undefined;
  }
}

/** A handler that throws is a bug, and must not cost the other handlers their events. */
function tell<T extends Cached>({ onChange, resource, log }: Reflection<T>, changes: readonly Change<T>[]): void {
  for (const change of changes) {
    try {
      onChange(change);
    } catch (error) {
      const { namespace, name } = change.object.metadata;
      log.error({ err: error, kind: resource.kind, namespace, name, change: change.type }, "change handler failed");
    }
  }
}
