// Compares a cache with the API server now and then. What it finds is a bug of ours; it is counted, told, and mended by a new list.
import type { Logger } from "pino";
import type { Client } from "./client.ts";
import { type Clock, pause } from "./clock.ts";
import type { RuntimeMetrics } from "./metrics.ts";
import { isAtLeast, type Key, keyOf, splitKey } from "./objects.ts";
import type { Reflector } from "./reflector.ts";
import type { Cached } from "./store.ts";

type DriftOptions<T> = { reflector: Reflector<T>; client: Client; clock: Clock; metrics: RuntimeMetrics; log: Logger };

const pageSize = 500;
const settleMs = 1_000;
const settleAttempts = 30;

/** Each half hour unless told, until disposed. */
export function startDriftCheck<T extends Cached>(options: DriftOptions<T> & { periodMs?: number }): AsyncDisposable {
  const { clock, log, periodMs = 1_800_000 } = options;
  const stopping = new AbortController();
  const run = async (): Promise<void> => {
    for (;;) {
      await pause(clock, periodMs, stopping.signal);
      if (stopping.signal.aborted) return;
      await checkDrift(options, stopping.signal).catch((error: unknown) =>
        log.warn({ err: error }, "drift check failed"),
      );
    }
  };
  const finished = run();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await finished;
    },
  };
}

/** The keys that the cache has wrong. Objects that change meanwhile are not among them. */
export async function checkDrift<T extends Cached>(options: DriftOptions<T>, signal: AbortSignal): Promise<Key[]> {
  const { reflector, clock, metrics, log } = options;
  const { store, resource } = reflector;
  const listed = await listVersions(options, signal);
  for (let attempt = 0; attempt < settleAttempts && !hasReached(store.version(), listed.version); attempt += 1) {
    await pause(clock, settleMs, signal);
  }
  const suspects = [...new Set([...listed.versions.keys(), ...store.keys()])].filter((key) => {
    const [cached, stored] = [store.get(key)?.metadata.resourceVersion, listed.versions.get(key)];
    return cached === undefined || stored === undefined || !isAtLeast(cached, stored);
  });
  const wrong: Key[] = [];
  for (const key of suspects) {
    if (await isWrong(options, key, signal)) wrong.push(key);
  }
  if (wrong.length > 0) {
    metrics.drift.inc({ kind: resource.kind }, wrong.length);
    log.error({ kind: resource.kind, keys: wrong.slice(0, 10), count: wrong.length }, "cache was wrong, listing again");
    reflector.relist();
  }
  return wrong;
}

async function listVersions<T>({ reflector, client }: DriftOptions<T>, signal: AbortSignal) {
  const { resource, selection } = reflector;
  const versions = new Map<Key, string>();
  let next: string | undefined;
  for (;;) {
    const page = await client.list(resource, { ...selection, limit: pageSize, continue: next, signal });
    for (const { metadata } of page.items) versions.set(keyOf(metadata), metadata.resourceVersion);
    next = page.continue;
    if (next === undefined) return { versions, version: page.resourceVersion };
  }
}

/** Asks for the one object, and gives the watch the time to tell of it. */
async function isWrong<T extends Cached>(
  { reflector, client, clock }: DriftOptions<T>,
  key: Key,
  signal: AbortSignal,
): Promise<boolean> {
  const { resource, selection, store } = reflector;
  const { namespace = selection.namespace, name } = splitKey(key);
  const fieldSelector = [selection.fieldSelector, `metadata.name=${name}`].filter(Boolean).join(",");
  const { items } = await client.list(resource, { ...selection, namespace, fieldSelector, signal });
  const stored = items[0];
  for (let attempt = 0; ; attempt += 1) {
    const cached = store.get(key)?.metadata;
    const isSame =
      stored === undefined || cached === undefined
        ? stored === undefined && cached === undefined
        : stored.metadata.uid === cached.uid && isAtLeast(cached.resourceVersion, stored.metadata.resourceVersion);
    if (isSame) return false;
    if (attempt === settleAttempts) return true;
    await pause(clock, settleMs, signal);
    if (signal.aborted) return false;
  }
}

function hasReached(version: string | undefined, wanted: string): boolean {
  return version !== undefined && isAtLeast(version, wanted);
}
