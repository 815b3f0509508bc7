// On a real API server: what is known of a Secret is never older than half a minute. Time passes by the clock that is handed in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sharedKube } from "#test/env/kube.ts";
import { accessKube, makeNamespace, makeUser } from "#test/env/kube-objects.ts";
import { testLog } from "#test/env/log.ts";
import { until } from "#test/until.ts";
import { readConfig } from "./config.ts";
import { secrets as secretResource } from "./kinds.ts";
import { systemClock } from "./runtime/clock.ts";
import { openSecrets } from "./secrets.ts";

const nobody = "127.0.0.1:1";
const config = readConfig({
  MESSAGES_ADDRESS: nobody,
  TEMPLATES_ADDRESS: nobody,
  BILLING_ADDRESS: nobody,
  QUALITY_ADDRESS: nobody,
  WEBHOOKS_ADDRESS: nobody,
  NATS_URL: "nats://127.0.0.1:1",
  CONNECTION_IMAGE: "heliograph:test",
});
/** A round may come late by a tenth of its interval, which is a quarter of this. */
const oldestMs = config.SECRETS_EVERY_MS * (1 + 1.1 / 4);
/** Rounds go by the machine's clock, a thousand times as often as theirs would be. */
const everyMs = config.SECRETS_EVERY_MS / 1_000;

async function setUp() {
  const kube = await sharedKube();
  const admin = accessKube(kube);
  const namespace = await makeNamespace(admin);
  const clock = { ...systemClock, nowMs: 0, monotonicMs: () => clock.nowMs };
  const secrets = openSecrets({ client: admin.client, clock, log: testLog, everyMs });
  const changes: string[] = [];
  const key = `${namespace}/pins`;
  secrets.follow({ referenced: () => [key], onChange: (changed) => void changes.push(changed) });
  return {
    kube,
    admin,
    namespace,
    key,
    secrets,
    changes,
    pass: (ms: number): number => (clock.nowMs += ms),
    put: (data: Record<string, string>) => {
      const metadata = { name: "pins", namespace };
      const wish = { apiVersion: "v1", kind: "Secret", metadata, stringData: data };
      return admin.client.apply(secretResource, wish, { fieldManager: "test" });
    },
    async [Symbol.asyncDispose]() {
      await secrets[Symbol.asyncDispose]();
      await admin[Symbol.asyncDispose]();
    },
  };
}

test("by the defaults a change of a Secret is noticed within 30 s", () => assert.ok(oldestMs <= 30_000));

test("a Secret that appears, changes and goes is told each time when its time has passed, and never before", async () => {
  await using env = await setUp();
  const { secrets, key, changes, pass, put } = env;
  const told = (count: number): Promise<true> => until(() => changes.length === count, { timeoutMs: 30_000 });
  const missing = await secrets.look(key, "orders");
  assert.deepEqual(missing, { kind: "missing", why: `secret ${key} does not exist` });
  await put({ orders: " 123456\n" });
  assert.deepEqual(await secrets.look(key, "orders"), missing);
  pass(everyMs);
  await told(1);
  const first = await secrets.look(key, "orders");
  assert.equal(first.kind, "present");
  assert.equal(await secrets.read(key, "orders"), "123456");
  await put({ orders: "654321" });
  assert.deepEqual(await secrets.look(key, "orders"), first);
  pass(everyMs);
  await told(2);
  assert.notDeepEqual(await secrets.look(key, "orders"), first);
  await env.admin.client.delete(secretResource, key);
  pass(everyMs);
  await told(3);
  assert.deepEqual(await secrets.look(key, "orders"), missing);
  assert.deepEqual(new Set(changes), new Set([key]));
});

test("values that are no text are values, empty ones are none, and what may not be read says so", async () => {
  await using env = await setUp();
  const { namespace, admin, secrets, key } = env;
  const metadata = { name: "pins", namespace };
  const data = { binary: Buffer.from([0, 255, 254]).toString("base64"), blank: Buffer.from(" \n").toString("base64") };
  await admin.client.apply(
    secretResource,
    { apiVersion: "v1", kind: "Secret", metadata, data },
    { fieldManager: "test" },
  );
  assert.equal((await secrets.look(key, "binary")).kind, "present");
  assert.deepEqual(await secrets.look(key, "blank"), {
    kind: "missing",
    why: `secret ${key} has no key blank, or it is empty`,
  });
  await using stranger = accessKube(env.kube, { token: await makeUser(admin, { namespace }) });
  await using closed = openSecrets({ client: stranger.client, clock: systemClock, log: testLog, everyMs });
  assert.deepEqual(await closed.look(key, "binary"), {
    kind: "missing",
    why: `the operator may not read secret ${key}`,
  });
});
