// On a real API server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startFaultProxy } from "#test/env/fault-proxy.ts";
import { sharedKube } from "#test/env/kube.ts";
import { accessKube, configMaps, makeNamespace, pods } from "#test/env/kube-objects.ts";
import { until } from "#test/until.ts";
import { ApiError, hasStatus } from "./api-error.ts";
import type { Wish } from "./objects.ts";

const fieldManager = "number-controller";

async function setUp() {
  const kube = await sharedKube();
  const admin = accessKube(kube);
  const namespace = await makeNamespace(admin);
  const wish = (name: string, data: Record<string, string>): Wish => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace, name },
    data,
  });
  return { kube, namespace, wish, client: admin.client, [Symbol.asyncDispose]: () => admin[Symbol.asyncDispose]() };
}

test("apply makes the object, takes back what is wished no more, and leaves the fields of others", async () => {
  await using env = await setUp();
  const { client, wish, namespace } = env;
  await client.apply(configMaps, wish("a", { ours: "1", old: "1" }), { fieldManager });
  await client.apply(configMaps, wish("a", { theirs: "1" }), { fieldManager: "user" });
  const applied = await client.apply(configMaps, wish("a", { ours: "2" }), { fieldManager });
  assert.deepEqual(applied["data"], { ours: "2", theirs: "1" });
  assert.equal("managedFields" in applied.metadata, false);
  assert.deepEqual((await client.get(configMaps, `${namespace}/a`))?.["data"], { ours: "2", theirs: "1" });
});

test("an apply that changes nothing writes nothing", async () => {
  await using env = await setUp();
  const first = await env.client.apply(configMaps, env.wish("a", { ours: "1" }), { fieldManager });
  const second = await env.client.apply(configMaps, env.wish("a", { ours: "1" }), { fieldManager });
  assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
});

test("apply takes a field over, unless it is not to", async () => {
  await using env = await setUp();
  await env.client.apply(configMaps, env.wish("a", { field: "theirs" }), { fieldManager: "user" });
  const polite = env.client.apply(configMaps, env.wish("a", { field: "ours" }), { fieldManager, force: false });
  await assert.rejects(polite, (error) => hasStatus(error, 409));
  const taken = await env.client.apply(configMaps, env.wish("a", { field: "ours" }), { fieldManager });
  assert.deepEqual(taken["data"], { field: "ours" });
});

test("a dry run stores nothing", async () => {
  await using env = await setUp();
  await env.client.apply(configMaps, env.wish("a", {}), { fieldManager, dryRun: true });
  assert.equal(await env.client.get(configMaps, `${env.namespace}/a`), undefined);
});

test("status is applied apart from the spec", async () => {
  await using env = await setUp();
  const metadata = { namespace: env.namespace, name: "a" };
  const spec = { containers: [{ name: "a", image: "a" }] };
  const made = await env.client.create(pods, { apiVersion: "v1", kind: "Pod", metadata, spec });
  const wish = { apiVersion: "v1", kind: "Pod", metadata, status: { phase: "Running", message: "up" } };
  const applied = await env.client.apply(pods, wish, { fieldManager, subresource: "status" });
  assert.deepEqual(applied["spec"], made["spec"]);
  assert.partialDeepStrictEqual(applied["status"], { phase: "Running", message: "up" });
});

test("replace swaps only what was read last", async () => {
  await using env = await setUp();
  const { metadata } = await env.client.create(configMaps, env.wish("a", { turn: "0" }));
  const next = (turn: string): Wish => ({ ...env.wish("a", { turn }), metadata });
  await env.client.replace(configMaps, next("1"));
  await assert.rejects(env.client.replace(configMaps, next("2")), (error) => hasStatus(error, 409));
});

test("delete asks for the uid, and says whether there was something", async () => {
  await using env = await setUp();
  const key = `${env.namespace}/a`;
  const { metadata } = await env.client.create(configMaps, env.wish("a", {}));
  await assert.rejects(env.client.delete(configMaps, key, { uid: "other" }), (error) => hasStatus(error, 409));
  assert.equal(await env.client.delete(configMaps, key, { uid: metadata.uid }), true);
  assert.equal(await env.client.delete(configMaps, key), false);
});

test("a list comes in pages", async () => {
  await using env = await setUp();
  for (const name of ["a", "b", "c"]) await env.client.create(configMaps, env.wish(name, {}));
  const { namespace } = env;
  const first = await env.client.list(configMaps, { namespace, limit: 2 });
  const second = await env.client.list(configMaps, { namespace, limit: 2, continue: first.continue });
  assert.deepEqual(
    [...first.items, ...second.items].map(({ metadata }) => metadata.name),
    ["a", "b", "c"],
  );
  assert.equal(second.continue, undefined);
});

test("a request that was put off with 429 and Retry-After goes again by itself", async () => {
  await using env = await setUp();
  let asked = 0;
  const choose = () => ((asked += 1) <= 2 ? { kind: "status" as const, status: 429, retryAfterSeconds: 0 } : undefined);
  await using proxy = await startFaultProxy({ kube: env.kube, choose });
  await using spoiled = accessKube(env.kube, { url: proxy.url });
  await spoiled.client.create(configMaps, env.wish("a", {}));
  assert.equal(asked, 3);
});

test("a request without an answer ends when its time is up, and says that nobody knows", async () => {
  await using env = await setUp();
  await using proxy = await startFaultProxy({ kube: env.kube, choose: () => ({ kind: "blackHole" }) });
  await using spoiled = accessKube(env.kube, { url: proxy.url });
  const asked = spoiled.transport.send({ method: "GET", path: "/version", timeoutMs: 100 });
  await assert.rejects(asked, (error) => error instanceof ApiError && error.status === 0 && error.reason === "Timeout");
});

test("the end of the process ends what is in flight", async () => {
  await using env = await setUp();
  await using proxy = await startFaultProxy({ kube: env.kube, choose: () => ({ kind: "blackHole" }) });
  const spoiled = accessKube(env.kube, { url: proxy.url });
  const asked = assert.rejects(
    spoiled.client.get(configMaps, "default/a"),
    (error) => error instanceof ApiError && error.reason === "Aborted",
  );
  await spoiled[Symbol.asyncDispose]();
  await asked;
});

test("at most 64 requests are in flight", async () => {
  await using env = await setUp();
  let arrived = 0;
  await using proxy = await startFaultProxy({
    kube: env.kube,
    choose: () => {
      arrived += 1;
      return { kind: "blackHole" };
    },
  });
  const spoiled = accessKube(env.kube, { url: proxy.url });
  const ask = (): Promise<unknown> =>
    spoiled.transport.send({ method: "GET", path: "/version", timeoutMs: 60_000 }).catch(() => undefined);
  const asked = Array.from({ length: 100 }, ask);
  await until(() => arrived >= 64, { timeoutMs: 30_000 });
  // What else had been let out would arrive before the answers to these.
  for (let at = 0; at < 20; at += 1) await env.client.list(configMaps, { namespace: env.namespace });
  assert.equal(arrived, 64);
  await spoiled[Symbol.asyncDispose]();
  await Promise.all(asked);
});
