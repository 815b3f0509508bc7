// A reflector behind a fault proxy while many writers change objects: was every change told, once and in order?
import assert from "node:assert/strict";
import type { Client } from "#operator/runtime/client.ts";
import { systemClock } from "#operator/runtime/clock.ts";
import { isAtLeast, keyOf, type KubeObject } from "#operator/runtime/objects.ts";
import { type Reflector, startReflector } from "#operator/runtime/reflector.ts";
import type { Change } from "#operator/runtime/store.ts";
import { until } from "../until.ts";
import { type Fault, startFaultProxy } from "./fault-proxy.ts";
import type { Kube } from "./kube.ts";
import { accessKube, configMaps, type KubeAccess, makeNamespace } from "./kube-objects.ts";
import { testLog } from "./log.ts";

type TrialOptions = {
  kube: Kube;
  /** Writes to make. */
  writes: number;
  seed: number;
  /** With faults that make the reflector list again, after which single changes in between are rightly not told. */
  withLists: boolean;
};

export type TrialFigures = {
  writes: number;
  seconds: number;
  told: number;
  faults: Record<string, number>;
  restarts: Record<string, number>;
};

const objects = 200;
const writers = 16;

/** Rejects with what was lost. */
export async function runWatchTrial({ kube, writes, seed, withLists }: TrialOptions): Promise<TrialFigures> {
  await using admin = accessKube(kube);
  const namespace = await makeNamespace(admin);
  const random = seededRandom(seed);
  await using proxy = await startFaultProxy({
    kube,
    choose: ({ isWatch }) => chooseFault(random, isWatch, withLists),
  });
  await using spoiled = accessKube(kube, { url: proxy.url });
  const judge = createJudge();
  await using reflector = watchThrough(spoiled, namespace, random, judge.take);
  await reflector.synced;
  const startedAt = performance.now();
  const made = await writeMuch(admin.client, namespace, writes, random);
  const stored = await admin.client.list(configMaps, { namespace });
  await until(
    () => isAtLeast(reflector.store.version() ?? "0", stored.resourceVersion) || judge.isEqual(stored.items),
    {
      timeoutMs: 60_000,
      message: "the cache reaches what was written",
    },
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  await until(() => judge.isEqual(stored.items), {
    timeoutMs: 5_000,
    message: "what was told makes up what is stored",
  });
  judge.verify(withLists ? undefined : made);
  return {
    writes: made,
    seconds,
    told: judge.told(),
    faults: Object.fromEntries(proxy.counts),
    restarts: await restartsOf(spoiled),
  };
}

function watchThrough(
  { client, metrics }: KubeAccess,
  namespace: string,
  random: () => number,
  onChange: (change: Change<KubeObject>) => void,
): Reflector<KubeObject> {
  return startReflector({
    client,
    resource: configMaps,
    selection: { namespace },
    project: (object) => object,
    onChange,
    clock: systemClock,
    random,
    metrics,
    log: testLog,
    timing: {
      pageSize: 50,
      shortestWatchSeconds: 1,
      longestWatchSeconds: 3,
      idleMs: 200,
      backoff: { firstMs: 2, mostMs: 20 },
      relistJitterMs: 20,
    },
  });
}

/** Changes objects from many sides at once, each object from one; returns how many writes were made. */
async function writeMuch(client: Client, namespace: string, writes: number, random: () => number): Promise<number> {
  let made = 0;
  const write = async (writer: number): Promise<void> => {
    const alive = new Set<string>();
    for (; made < writes;) {
      made += 1;
      const name = `object-${writer + writers * Math.floor((random() * objects) / writers)}`;
      const wish = {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { namespace, name },
        data: { write: String(made) },
      };
      if (!alive.has(name)) {
        await client.create(configMaps, wish);
        alive.add(name);
      } else if (random() < 0.2) {
        await client.delete(configMaps, `${namespace}/${name}`);
        alive.delete(name);
      } else await client.replace(configMaps, wish);
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  return made;
}

type Judge = {
  take(change: Change<KubeObject>): void;
  told(): number;
  /** Whether the changes told so far add up to these objects. */
  isEqual(objects: readonly KubeObject[]): boolean;
  /** Every change told must follow from the one before; with `writes`, there must be as many. */
  verify(writes: number | undefined): void;
};

function createJudge(): Judge {
  const view = new Map<string, { uid: string; resourceVersion: string }>();
  const faults: string[] = [];
  let told = 0;
  return {
    take({ type, object }) {
      told += 1;
      const { uid, resourceVersion } = object.metadata;
      const key = keyOf(object.metadata);
      const before = view.get(key);
      const follows =
        type === "added"
          ? before === undefined
          : before?.uid === uid && (type === "deleted" || !isAtLeast(before.resourceVersion, resourceVersion));
      if (!follows) faults.push(`${key} ${type} at ${resourceVersion} after ${before?.resourceVersion ?? "nothing"}`);
      if (type === "deleted") view.delete(key);
      else view.set(key, { uid, resourceVersion });
    },
    told: () => told,
    isEqual: (stored) =>
      stored.length === view.size &&
      stored.every(({ metadata }) => view.get(keyOf(metadata))?.resourceVersion === metadata.resourceVersion),
    verify(writes) {
      assert.deepEqual(faults.slice(0, 5), []);
      if (writes !== undefined) assert.equal(told, writes, "each write is told once");
    },
  };
}

function chooseFault(random: () => number, isWatch: boolean, withLists: boolean): Fault | undefined {
  if (random() < (isWatch ? 0.02 : 0.5)) return undefined;
  const answers: Fault[] = [
    { kind: "reset" },
    { kind: "status", status: 429, retryAfterSeconds: 0 },
    { kind: "status", status: 500 },
  ];
  const afterLines = Math.floor(random() * 40);
  const streams: Fault[] = [
    { kind: "resetStream", afterLines },
    { kind: "slow", afterLines, ms: 5 },
    { kind: "end", afterLines },
    { kind: "cut", afterLines },
    { kind: "repeat", afterLines },
  ];
  // Each costs the watchdog's whole patience, in which many writes are made.
  const silences: Fault[] = random() < 0.3 ? [{ kind: "blackHole" }, { kind: "silence", afterLines }] : [];
  const gone: Fault[] = [
    { kind: "status", status: 410 },
    { kind: "expired", afterLines },
  ];
  const all = isWatch ? [...answers, ...streams, ...silences, ...(withLists ? gone : [])] : answers;
  return all[Math.floor(random() * all.length)];
}

async function restartsOf({ metrics }: KubeAccess): Promise<Record<string, number>> {
  const { values } = await metrics.watchRestarts.get();
  return Object.fromEntries(values.map(({ labels, value }) => [String(labels["reason"]), value]));
}

/** Mulberry32. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
