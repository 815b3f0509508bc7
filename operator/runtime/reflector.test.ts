// On a real API server, behind a proxy that spoils what it can.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { type Fault, startFaultProxy } from "#test/env/fault-proxy.ts";
import { sharedKube } from "#test/env/kube.ts";
import { accessKube, configMaps, makeNamespace } from "#test/env/kube-objects.ts";
import { testLog } from "#test/env/log.ts";
import { runWatchTrial } from "#test/env/watch-trial.ts";
import { until } from "#test/until.ts";
import { systemClock } from "./clock.ts";
import { createRuntimeMetrics } from "./metrics.ts";
import type { KubeObject, Wish } from "./objects.ts";
import { type ReflectorTiming, startReflector } from "./reflector.ts";

test("5,000 writes are each told once and in order, whatever happens to the watches", async () => {
  const figures = await runWatchTrial({ kube: await sharedKube(), writes: 5_000, seed: 1, withLists: false });
  assert.equal(figures.restarts["gone"], undefined);
});

test("after 5,000 writes the cache is what is stored, also when versions are gone", async () => {
  const figures = await runWatchTrial({ kube: await sharedKube(), writes: 5_000, seed: 2, withLists: true });
  assert.ok((figures.restarts["gone"] ?? 0) > 0);
});

type Hooks = { project?: (object: KubeObject) => KubeObject; onChange?: (name: string) => void };

function toWish(namespace: string, name: string): Wish {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name } };
}

/** A reflector that, once it has failed, does not try again within the test. */
async function setUp(
  fault: (request: { isWatch: boolean }) => Fault | undefined,
  hooks: Hooks = {},
  timing: Partial<ReflectorTiming> = {},
) {
  const kube = await sharedKube();
  const admin = accessKube(kube);
  const namespace = await makeNamespace(admin);
  const proxy = await startFaultProxy({ kube, choose: fault });
  const spoiled = accessKube(kube, { url: proxy.url });
  const registry = new Registry();
  const metrics = createRuntimeMetrics(registry);
  const reflector = startReflector({
    client: spoiled.client,
    resource: configMaps,
    selection: { namespace },
    project: hooks.project ?? ((object) => object),
    onChange: ({ object }) => hooks.onChange?.(object.metadata.name),
    clock: systemClock,
    random: () => 0.5,
    metrics,
    log: testLog,
    timing: { backoff: { firstMs: 3_600_000, mostMs: 3_600_000 }, relistJitterMs: 0, ...timing },
  });
  return {
    reflector,
    registry,
    make: (name: string) => admin.client.create(configMaps, toWish(namespace, name)),
    edit: (name: string) => admin.client.replace(configMaps, { ...toWish(namespace, name), data: { edited: "yes" } }),
    restarts: async (reason: string) =>
      (await metrics.watchRestarts.get()).values.find(({ labels }) => labels["reason"] === reason)?.value ?? 0,
    async [Symbol.asyncDispose]() {
      await reflector[Symbol.asyncDispose]();
      await spoiled[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
      await admin[Symbol.asyncDispose]();
    },
  };
}

test("a watch that ends in order is followed by the next at once", async () => {
  await using env = await setUp(({ isWatch }) => (isWatch ? { kind: "end", afterLines: 2 } : undefined));
  await env.reflector.synced;
  for (let index = 0; index < 20; index += 1) await env.make(`object-${index}`);
  await until(() => env.reflector.store.size() >= 19);
  assert.ok((await env.restarts("timeout")) >= 5);
});

test("what a watch tells twice is taken once", async () => {
  const told: string[] = [];
  const onChange = (name: string): void => void told.push(name);
  await using env = await setUp(({ isWatch }) => (isWatch ? { kind: "repeat", afterLines: 2 } : undefined), {
    onChange,
  });
  await env.reflector.synced;
  await env.make("a");
  await env.edit("a");
  await env.make("b");
  await until(() => told.includes("b"));
  assert.deepEqual(told, ["a", "a", "b"]);
});

test("a watch that has fallen silent is begun again", async () => {
  let watches = 0;
  const choose = ({ isWatch }: { isWatch: boolean }): Fault | undefined =>
    isWatch && (watches += 1) <= 2
      ? watches === 1
        ? { kind: "silence", afterLines: 1 }
        : { kind: "blackHole" }
      : undefined;
  await using env = await setUp(choose, {}, { idleMs: 200, backoff: { firstMs: 1, mostMs: 1 } });
  await env.reflector.synced;
  for (const name of ["a", "b", "c"]) await env.make(name);
  await until(() => env.reflector.store.size() === 3);
  assert.ok((await env.restarts("idle")) >= 2);
});

test("a version that is gone costs one list at once, and the next only after a while", async () => {
  let lists = 0;
  await using env = await setUp(({ isWatch }) => {
    if (isWatch) return { kind: "status", status: 410 };
    lists += 1;
    return undefined;
  });
  await until(async () => (await env.restarts("gone")) === 2);
  // Time enough for one list more, if there were to be one.
  for (let index = 0; index < 10; index += 1) await env.make(`object-${index}`);
  assert.equal(lists, 2);
});

test("what a handler or a projection throws costs nobody else an event", async () => {
  const told: string[] = [];
  const hooks: Hooks = {
    project(object) {
      if (object.metadata.name === "odd") throw new Error("odd object");
      return object;
    },
    onChange(name) {
      told.push(name);
      if (name === "first") throw new Error("bad handler");
    },
  };
  await using env = await setUp(() => undefined, hooks);
  await env.reflector.synced;
  for (const name of ["first", "odd", "last"]) await env.make(name);
  await until(() => told.length === 2);
  assert.deepEqual(told, ["first", "last"]);
  assert.equal(env.reflector.store.size(), 2);
});

test("metrics tell how long ago a watch was heard of", async () => {
  await using env = await setUp(() => undefined);
  await env.reflector.synced;
  const text = await env.registry.metrics();
  const [, seconds] = /^watch_last_event_age_seconds\{kind="ConfigMap"\} (\S+)$/m.exec(text) ?? [];
  assert.ok(Number(seconds) >= 0 && Number(seconds) * 1_000 <= env.reflector.ageMs());
});
