// On a real API server: a cache that was lied to is found and mended.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sharedKube } from "#test/env/kube.ts";
import { accessKube, configMaps, makeNamespace } from "#test/env/kube-objects.ts";
import { testLog } from "#test/env/log.ts";
import { until } from "#test/until.ts";
import { virtualClock } from "#test/virtual-clock.ts";
import type { Client } from "./client.ts";
import { systemClock } from "./clock.ts";
import { checkDrift } from "./drift-check.ts";
import { startReflector } from "./reflector.ts";
import { startResync } from "./resync.ts";

/** A watch that keeps events about `name` to itself. */
function hiding(client: Client, name: string): Client {
  async function* visible(lines: AsyncIterable<string>): AsyncGenerator<string> {
    for await (const line of lines) if (!line.includes(`"name":"${name}"`)) yield line;
  }
  return { ...client, watch: async (...call) => visible(await client.watch(...call)) };
}

// The check waits up to 30 s for the watch to tell what it misses; here it is known to be silent.
const hasty = {
  ...systemClock,
  after: (ms: number, callback: () => void) => systemClock.after(Math.min(ms, 20), callback),
};

test("objects that the watch did not tell of are found, counted, and in the cache afterwards", async () => {
  await using admin = accessKube(await sharedKube());
  const { client, metrics } = admin;
  const namespace = await makeNamespace(admin);
  const make = (name: string) =>
    client.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name } });
  await make("hidden-gone");
  await using reflector = startReflector({
    client: hiding(hiding(client, "hidden-new"), "hidden-gone"),
    resource: configMaps,
    selection: { namespace },
    project: (object) => object,
    onChange: () => undefined,
    clock: systemClock,
    random: Math.random,
    metrics,
    log: testLog,
  });
  await reflector.synced;
  await client.delete(configMaps, `${namespace}/hidden-gone`);
  await make("hidden-new");
  await make("seen");
  await until(() => reflector.store.get(`${namespace}/seen`));
  const check = () =>
    checkDrift({ reflector, client, clock: hasty, metrics, log: testLog }, new AbortController().signal);
  assert.deepEqual((await check()).sort(), [`${namespace}/hidden-gone`, `${namespace}/hidden-new`]);
  await until(() => reflector.store.get(`${namespace}/hidden-new`) && !reflector.store.get(`${namespace}/hidden-gone`));
  assert.deepEqual(await check(), []);
  assert.equal((await metrics.drift.get()).values[0]?.value, 2);
});

test("a resync takes every key once in a period, and never many at a time", async () => {
  const clock = virtualClock();
  const keys = Array.from({ length: 3_000 }, (_, index) => `namespace/number-${index}`);
  const enqueued = new Map<string, number>();
  const perTick = new Map<number, number>();
  using _resync = startResync({
    keys: () => keys,
    enqueue(key) {
      enqueued.set(key, (enqueued.get(key) ?? 0) + 1);
      perTick.set(clock.monotonicMs(), (perTick.get(clock.monotonicMs()) ?? 0) + 1);
    },
    clock,
  });
  await clock.advance(36_000_000);
  assert.equal(enqueued.size, keys.length);
  assert.deepEqual([...new Set(enqueued.values())], [1]);
  assert.ok(Math.max(...perTick.values()) < 30);
});
