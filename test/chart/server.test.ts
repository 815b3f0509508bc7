// The chart against a real API server: it is installed, upgraded, rolled back, taken away and installed again. Nothing runs there, but
// every object is taken or refused as on a cluster, and pods are tried in a namespace that enforces the restricted standard.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { type Kube, startKube } from "#test/env/kube.ts";
import { accessKube, type KubeAccess, namespaces } from "#test/env/kube-objects.ts";
import { chartFolder, namespace, podSpecOf, release, render, runChartProgram } from "./render.ts";

const secretSchema = z.object({ data: z.record(z.string(), z.string()) });
const listSchema = z.object({ items: z.array(z.looseObject({ metadata: z.looseObject({ name: z.string() }) })) });
const secrets = `/api/v1/namespaces/${namespace}/secrets`;
const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;

describe("on an API server", () => {
  let kube: Kube & AsyncDisposable;
  let admin: KubeAccess;
  let folder: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "heliograph-install-"));
    kube = await startKube();
    admin = accessKube(kube);
    writeFileSync(join(folder, "kubeconfig.json"), kube.kubeconfig, { mode: 0o600 });
    const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
    await admin.client.create(namespaces, {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace, labels },
    });
  });
  after(async () => {
    await admin[Symbol.asyncDispose]();
    await kube[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Throws with helm's words. */
  async function helm(...args: string[]): Promise<string> {
    const where = ["--namespace", namespace, "--kubeconfig", join(folder, "kubeconfig.json")];
    const { code, stdout, stderr } = await runChartProgram("helm", [...args, ...where]);
    assert.equal(code, 0, `helm ${args[0]}: ${stderr}`);
    return stdout;
  }

  const get = (path: string): Promise<unknown> => admin.transport.send({ method: "GET", path });
  const namesIn = async (path: string): Promise<string[]> =>
    listSchema.parse(await get(path)).items.map(({ metadata }) => metadata.name);
  const drawn = async (name: string, key: string): Promise<string> =>
    secretSchema.parse(await get(`${secrets}/${release}-heliograph-${name}`)).data[key] ?? "";
  const drawnAll = (): Promise<string[]> =>
    Promise.all([
      drawn("api", "tokens"),
      drawn("meta-app", "appSecret"),
      drawn("meta-verify", "verifyToken"),
      drawn("postgres", "url"),
    ]);

  test("an install makes all that it renders, and tells what to do next", async () => {
    const told = await helm("install", release, chartFolder, "--set", "simulator.enabled=true");
    assert.match(told, /helm test wa --namespace shop/);
    const made = await namesIn(deployments);
    assert.ok(made.includes(`${release}-heliograph-gateway`) && made.includes(`${release}-heliograph-simulator`));
    assert.equal((await namesIn(crds)).length, 5);
  });

  test("an upgrade keeps what was drawn, and so does the way back", async () => {
    const before = await drawnAll();
    assert.ok(before.every((secret) => secret.length > 20));
    await helm("upgrade", release, chartFolder, "--set", "gateway.replicas=3", "--set", "operator.scope=Cluster");
    assert.deepEqual(await drawnAll(), before);
    assert.equal((await namesIn(deployments)).includes(`${release}-heliograph-simulator`), false);
    await helm("rollback", release, "1");
    assert.deepEqual(await drawnAll(), before);
    assert.ok((await namesIn(deployments)).includes(`${release}-heliograph-simulator`));
  });

  test("an upgrade to three NATS servers, TLS and monitoring touches nothing that cannot be changed", async () => {
    const set = ["nats.standalone.replicas=3", "tls.enabled=true", "tls.existingSecret=certs", "messages.replicas=2"];
    await helm("upgrade", release, chartFolder, ...set.flatMap((one) => ["--set", one]));
  });

  test("an uninstall leaves the CRDs and the password of the volume, and a second install finds both", async () => {
    const url = await drawn("postgres", "url");
    await helm("uninstall", release);
    assert.equal((await namesIn(crds)).length, 5);
    assert.deepEqual(await namesIn(secrets), [`${release}-heliograph-postgres`]);
    assert.deepEqual(await namesIn(deployments), []);
    await helm("install", release, chartFolder);
    assert.equal(await drawn("postgres", "url"), url);
  });

  for (const profile of ["default", "all-on"] as const) {
    test(`${profile}: a namespace that enforces the restricted standard takes every pod`, async () => {
      const pods = (await render({ profile })).flatMap((manifest) => {
        const spec = podSpecOf(manifest);
        return spec === undefined ? [] : [{ name: manifest.metadata.name, spec }];
      });
      assert.ok(pods.length >= 9);
      for (const { name, spec } of pods) {
        // The class is on the user's cluster, and a claim becomes a volume there.
        const { priorityClassName: _, ...rest } = spec;
        const claimed = spec.volumes.some((volume) => volume.name === "data") ? [] : [{ name: "data", emptyDir: {} }];
        const tried = { ...rest, volumes: [...spec.volumes, ...claimed] };
        await admin.transport.send({
          method: "POST",
          path: `/api/v1/namespaces/${namespace}/pods`,
          query: { dryRun: "All" },
          body: { apiVersion: "v1", kind: "Pod", metadata: { name: `${name}-tried` }, spec: tried },
        });
      }
    });
  }

  test("the hooks of helm test are objects that the server takes", async () => {
    const kinds = new Map([
      ["WhatsAppBusinessAccount", "whatsappbusinessaccounts"],
      ["WhatsAppNumber", "whatsappnumbers"],
      ["WebhookSubscription", "webhooksubscriptions"],
    ]);
    const hooks = (await render({ profile: "all-on" })).filter(({ kind }) => kinds.has(kind));
    assert.equal(hooks.length, 3);
    for (const body of hooks) {
      const path = `/apis/heliograph.dev/v1alpha1/namespaces/${namespace}/${kinds.get(body.kind)}`;
      const answer = await admin.transport.send({ method: "POST", path, query: { dryRun: "All" }, body });
      assert.ok(answer);
    }
  });
});
