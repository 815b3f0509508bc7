// On a real API server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sharedKube } from "#test/env/kube.ts";
import { accessKube, configMaps, makeNamespace } from "#test/env/kube-objects.ts";
import { testLog } from "#test/env/log.ts";
import { systemClock } from "./clock.ts";
import { createRecorder, type EventNote } from "./events.ts";
import type { KubeObject, Resource } from "./objects.ts";

const events: Resource = { group: "events.k8s.io", version: "v1", kind: "Event", plural: "events", isNamespaced: true };
const connected: EventNote = { type: "Normal", reason: "Connected", action: "Connect", note: "the session is up" };

async function setUp() {
  const admin = accessKube(await sharedKube());
  const { client, metrics } = admin;
  const namespace = await makeNamespace(admin);
  const metadata = { namespace, name: "a" };
  const regarding = await client.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata });
  const who = { controller: "example.com/operator", instance: "operator-1" };
  const recorder = createRecorder({ client, ...who, clock: systemClock, random: Math.random, metrics, log: testLog });
  return {
    regarding,
    recorder,
    metrics,
    /** After all that was recorded is written. */
    async stored(): Promise<KubeObject[]> {
      await recorder[Symbol.asyncDispose]();
      return (await client.list(events, { namespace })).items;
    },
    [Symbol.asyncDispose]: admin[Symbol.asyncDispose],
  };
}

test("an event says what happened to which object", async () => {
  await using env = await setUp();
  env.recorder.record(env.regarding, connected);
  const [event, ...more] = await env.stored();
  assert.deepEqual(more, []);
  assert.partialDeepStrictEqual(event, {
    ...connected,
    regarding: { kind: "ConfigMap", name: "a", uid: env.regarding.metadata.uid },
    reportingController: "example.com/operator",
    reportingInstance: "operator-1",
  });
});

test("a repetition is counted in the event that was written; what comes in between begins a new one", async () => {
  await using env = await setUp();
  for (let time = 0; time < 3; time += 1) {
    env.recorder.record(env.regarding, connected);
    await env.recorder[Symbol.asyncDispose]();
  }
  env.recorder.record(env.regarding, { ...connected, reason: "Disconnected" });
  env.recorder.record(env.regarding, connected);
  const stories = (await env.stored()).map(({ reason, series }) => [reason, series]);
  assert.equal(stories.length, 3);
  const counted = stories.filter(([, series]) => series !== undefined);
  assert.equal(counted.length, 1);
  assert.partialDeepStrictEqual(counted[0]?.[1], { count: 3 });
});

test("an object that cannot come to rest gets ten events a minute", async () => {
  await using env = await setUp();
  for (let turn = 0; turn < 30; turn += 1) env.recorder.record(env.regarding, { ...connected, note: `turn ${turn}` });
  assert.equal((await env.stored()).length, 10);
  const { values } = await env.metrics.events.get();
  assert.deepEqual(Object.fromEntries(values.map(({ labels, value }) => [labels.outcome, value])), {
    written: 10,
    limited: 20,
  });
});

test("the longest names and notes are cut to what the API server takes, and no character in two", async () => {
  await using admin = accessKube(await sharedKube());
  await using env = await setUp();
  const { namespace = "" } = env.regarding.metadata;
  const metadata = { namespace, name: `${"a".repeat(239)}.${"b".repeat(13)}` };
  const regarding = await admin.client.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata });
  env.recorder.record(regarding, { ...connected, note: `aa${"€".repeat(600)}` });
  const [event] = await env.stored();
  assert.equal(event?.["note"], `aa${"€".repeat(340)}`);
});
