// The API server of the tests itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hasStatus } from "#operator/runtime/api-error.ts";
import { sharedKube, startKube } from "./kube.ts";
import { accessKube, configMaps, installCrds, makeNamespace, makeUser } from "./kube-objects.ts";

test("the tests of a run share one server, and each has a namespace of its own", async () => {
  const kube = await sharedKube();
  assert.equal((await sharedKube()).url, kube.url);
  await using admin = accessKube(kube);
  assert.notEqual(await makeNamespace(admin), await makeNamespace(admin));
});

test("a user may do what its rules say and no more", async () => {
  const kube = await sharedKube();
  await using admin = accessKube(kube);
  const namespace = await makeNamespace(admin);
  const rules = [{ apiGroups: [""], resources: ["configmaps"], verbs: ["create"] }];
  await using user = accessKube(kube, { token: await makeUser(admin, { namespace, rules }) });
  const wish = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name: "a" } };
  await user.client.create(configMaps, wish);
  await assert.rejects(user.client.get(configMaps, `${namespace}/a`), (error) => hasStatus(error, 403));
});

test("our CRDs are accepted and served", async () => {
  await using admin = accessKube(await sharedKube());
  await installCrds(admin);
});

test("a server of one's own comes back with what it had", async () => {
  await using kube = await startKube();
  await using admin = accessKube(kube);
  const namespace = await makeNamespace(admin);
  await kube.kill();
  await assert.rejects(admin.client.list(configMaps, { namespace }));
  await kube.restart();
  assert.deepEqual((await admin.client.list(configMaps, { namespace })).items, []);
});
