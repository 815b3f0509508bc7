// On a real API server, with a lease of two seconds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Fault, startFaultProxy } from "#test/env/fault-proxy.ts";
import { type Kube, sharedKube } from "#test/env/kube.ts";
import { accessKube, configMaps, type KubeAccess, makeNamespace } from "#test/env/kube-objects.ts";
import { testLog } from "#test/env/log.ts";
import { until } from "#test/until.ts";
import { ApiError } from "./api-error.ts";
import { systemClock } from "./clock.ts";
import { fencedClient } from "./fenced-client.ts";
import { takePart } from "./leader.ts";
import { leases, readLease } from "./lease.ts";

const timing = { leaseSeconds: 2, renewDeadlineMs: 1_200, retryMs: 200 };

/** For tests of something else than the deadline: a loaded machine keeps it. */
const patient = { ...timing, leaseSeconds: 3_600, renewDeadlineMs: 60_000 };

function candidate(
  { client, metrics }: KubeAccess,
  namespace: string,
  identity: string,
  { leaseSeconds, renewDeadlineMs } = timing,
) {
  const random = (): number => 0.5;
  const names = { namespace, name: "operator", identity };
  const clock = systemClock;
  return takePart({
    client,
    ...names,
    clock,
    random,
    metrics,
    log: testLog,
    timing: { ...timing, leaseSeconds, renewDeadlineMs },
  });
}

async function readStored({ client }: KubeAccess, namespace: string) {
  const lease = await client.get(leases, `${namespace}/operator`);
  assert.ok(lease);
  return readLease(lease);
}

async function setUp(): Promise<{ kube: Kube; admin: KubeAccess; namespace: string } & AsyncDisposable> {
  const kube = await sharedKube();
  const admin = accessKube(kube);
  return { kube, admin, namespace: await makeNamespace(admin), [Symbol.asyncDispose]: admin[Symbol.asyncDispose] };
}

test("one of two leads, and the other follows at once when the first gives the lease back", async () => {
  await using env = await setUp();
  const first = candidate(env.admin, env.namespace, "first", patient);
  assert.equal(await first.elected, 1);
  await using other = accessKube(env.kube);
  await using second = candidate(other, env.namespace, "second", patient);
  assert.match((await readStored(env.admin, env.namespace)).renewTime ?? "", /\.\d{6}Z$/);
  assert.equal(second.term(), undefined);
  await first[Symbol.asyncDispose]();
  assert.equal(first.term(), undefined);
  assert.equal(await second.elected, 2);
  assert.equal((await readStored(env.admin, env.namespace)).holderIdentity, "second");
  assert.equal((await other.metrics.leader.get()).values[0]?.value, 1);
});

test("a leader that is cut off stops before another begins", async () => {
  await using env = await setUp();
  let isCutOff = false;
  const choose = () => (isCutOff ? { kind: "blackHole" as const } : undefined);
  await using proxy = await startFaultProxy({ kube: env.kube, choose });
  await using remote = accessKube(env.kube, { url: proxy.url });
  await using first = candidate(remote, env.namespace, "first");
  await first.elected;
  await using second = candidate(env.admin, env.namespace, "second");
  isCutOff = true;
  const isFirstOver = first.lost.then(() => true);
  assert.equal(await Promise.race([isFirstOver, second.elected.then(() => false)]), true);
  assert.equal(first.term(), undefined);
  assert.ok((await second.elected) > 1);
});

const troubles: [sentence: string, kind: Fault, times: number][] = [
  ["failures that end before its deadline", { kind: "status", status: 500 }, 10],
  ["requests that are never answered", { kind: "blackHole" }, 2],
];
for (const [sentence, fault, times] of troubles) {
  test(`a leader lives through ${sentence}`, async () => {
    await using env = await setUp();
    let puts = 0;
    const choose = ({ method }: { method: string }) =>
      method === "PUT" && (puts += 1) % 2 === 0 && puts <= 2 * times ? fault : undefined;
    await using proxy = await startFaultProxy({ kube: env.kube, choose });
    await using remote = accessKube(env.kube, { url: proxy.url });
    // A deadline that a loaded machine keeps as well.
    const tolerant = { leaseSeconds: 10, renewDeadlineMs: 8_000, retryMs: 20 };
    const names = { namespace: env.namespace, name: "operator", identity: "first" };
    const { client, metrics } = remote;
    const random = Math.random;
    await using first = takePart({
      client,
      ...names,
      clock: systemClock,
      random,
      metrics,
      log: testLog,
      timing: tolerant,
    });
    await first.elected;
    await until(() => puts > 2 * times, { timeoutMs: 60_000 });
    assert.equal(first.term(), 1);
  });
}

test("only the leader writes, and says in which term", async () => {
  await using env = await setUp();
  let term: number | undefined = 5;
  const client = fencedClient(env.admin.client, { term: () => term, annotation: "example.com/term" });
  const wish = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: env.namespace, name: "a" } };
  const { metadata } = await client.apply(configMaps, wish, { fieldManager: "test" });
  assert.deepEqual(metadata.annotations, { "example.com/term": "5" });
  term = undefined;
  const isRefused = (error: unknown): boolean => error instanceof ApiError && error.reason === "NotLeader";
  await assert.rejects(client.apply(configMaps, wish, { fieldManager: "test" }), isRefused);
  await assert.rejects(client.replace(configMaps, wish), isRefused);
  await assert.rejects(client.create(configMaps, wish), isRefused);
  await assert.rejects(client.delete(configMaps, `${env.namespace}/a`), isRefused);
  assert.ok(await client.get(configMaps, `${env.namespace}/a`));
});
