// Our kinds on a real API server with nobody else on it: defaults, unknown fields, tables, selection, and the samples.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { checkDocument } from "#local/checkers.ts";
import { startKube } from "#test/env/kube.ts";
import { accessKube, installCrds, makeNamespace } from "#test/env/kube-objects.ts";
import { type Change, changed, type KindCases, kindCases } from "./test-rules.ts";
import { type Answer, type Api, openApi } from "./test-api.ts";

const apiVersion = "heliograph.dev/v1alpha1";
const objectSchema = z.looseObject({
  spec: z.record(z.string(), z.unknown()).optional(),
  metadata: z.looseObject({ resourceVersion: z.string().optional() }),
});
let kube: Awaited<ReturnType<typeof startKube>>;
let api: Api;
let namespace: string;

before(async () => {
  kube = await startKube();
  await using admin = accessKube(kube);
  await installCrds(admin);
  namespace = await makeNamespace(admin);
  api = openApi(kube);
});
after(async () => {
  await api[Symbol.asyncDispose]();
  await kube[Symbol.asyncDispose]();
});

function pathOf({ plural, isClusterWide = false }: KindCases): string {
  return `/apis/${apiVersion}${isClusterWide ? "" : `/namespaces/${namespace}`}/${plural}`;
}

function smallest(kind: KindCases): Change {
  return { apiVersion, kind: kind.kind, ...kind.valid };
}

function getKind(name: string): KindCases {
  const found = kindCases.find(({ kind }) => kind === name);
  assert.ok(found !== undefined);
  return found;
}

function specOf({ status, body }: Answer): Record<string, unknown> | undefined {
  assert.ok(status < 300, JSON.stringify(body));
  return objectSchema.parse(body).spec;
}

const dryRun = { dryRun: "All" };

for (const kind of kindCases) {
  test(`${kind.kind}: the local runner fills in the defaults of the server`, async () => {
    const stored = specOf(await api.send("POST", pathOf(kind), { body: smallest(kind), query: dryRun }));
    const checked = checkDocument(smallest(kind));
    assert.ok("resource" in checked && "spec" in checked.resource);
    assert.deepEqual(checked.resource.spec, stored);
  });

  test(`${kind.kind}: a field that nobody knows is dropped, and named to who asks for strictness`, async () => {
    const body = changed(smallest(kind), { spec: { typo: 1 } });
    const spec = specOf(await api.send("POST", pathOf(kind), { body, query: dryRun }));
    assert.ok(spec !== undefined && !("typo" in spec));
    const strict = await api.send("POST", pathOf(kind), { body, query: { ...dryRun, fieldValidation: "Strict" } });
    assert.equal(strict.status, 400);
    assert.match(JSON.stringify(strict.body), /unknown field \\"spec\.typo\\"/);
  });
}

test("defaults below what is given are filled in by both", async () => {
  const given: [kind: string, change: Change][] = [
    ["ConnectionClass", { resources: { limits: { memory: "1Gi" } }, surge: { max: 5 }, canary: { percent: 5 } }],
    ["ConnectionClass", { tolerations: [{ key: "a" }], topologySpreadConstraints: [] }],
    ["WhatsAppTemplate", { category: "Authentication", body: null, authentication: {} }],
    ["WhatsAppNumber", { disruption: {} }],
  ];
  for (const [name, change] of given) {
    const kind = getKind(name);
    const object = changed(smallest(kind), { spec: change });
    const checked = checkDocument(object);
    assert.ok("resource" in checked && "spec" in checked.resource, JSON.stringify(checked));
    assert.deepEqual(
      checked.resource.spec,
      specOf(await api.send("POST", pathOf(kind), { body: object, query: dryRun })),
    );
  }
});

test("a field that holds null is as good as missing, to both", async () => {
  const kind = getKind("WhatsAppNumber");
  const spec = { accountRef: { name: "acme" }, phoneNumberId: "1", phoneNumber: "+99900000001" };
  const empty = { queueLimit: null, displayName: null, registration: null, disruption: { policy: null } };
  const body = { ...smallest(kind), spec: { ...spec, ...empty } };
  const checked = checkDocument(body);
  assert.ok("resource" in checked && "spec" in checked.resource, JSON.stringify(checked));
  assert.deepEqual(checked.resource.spec, specOf(await api.send("POST", pathOf(kind), { body, query: dryRun })));
});

test("a pod template keeps what only a pod knows", async () => {
  const podTemplate = { spec: { affinity: { nodeAffinity: {} }, containers: [{ name: "connection", image: "x" }] } };
  const body = changed(smallest(getKind("ConnectionClass")), { spec: { podTemplate } });
  const query = { ...dryRun, fieldValidation: "Strict" };
  const spec = specOf(await api.send("POST", pathOf(getKind("ConnectionClass")), { body, query }));
  assert.deepEqual(spec?.["podTemplate"], podTemplate);
});

const tableSchema = z.object({
  columnDefinitions: z.array(z.object({ name: z.string(), priority: z.number() })),
  rows: z.array(z.object({ cells: z.array(z.unknown()) })),
});

async function tableOf(path: string): Promise<{ narrow: string[]; wide: string[]; rows: unknown[][] }> {
  const answer = await api.send("GET", path, { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" });
  const { columnDefinitions, rows } = tableSchema.parse(answer.body);
  const narrow = columnDefinitions.filter(({ priority }) => priority === 0).map(({ name }) => name);
  const wide = columnDefinitions.filter(({ priority }) => priority > 0).map(({ name }) => name);
  return { narrow, wide, rows: rows.map(({ cells }) => cells) };
}

test("kubectl get shows what an operator on call needs, kubectl get -o wide the rest", async () => {
  const columns: [kind: string, narrow: string, wide: string][] = [
    ["WhatsAppNumber", "Name Ready Reason Connected Quality Limit Used Age", "Phone Epoch Node"],
    ["WhatsAppBusinessAccount", "Name Ready Reason WABA Age", "Token Webhook"],
    ["WhatsAppTemplate", "Name Ready Reason State Category Quality Drifted Age", "Template Language"],
    ["WebhookSubscription", "Name Ready Reason Dialect Circuit Pending Lag Age", "URL"],
    ["ConnectionClass", "Name Ready Reason Default Progressing Age", "Image Memory"],
  ];
  for (const [kind, narrow, wide] of columns) {
    const table = await tableOf(pathOf(getKind(kind)));
    assert.deepEqual([table.narrow.join(" "), table.wide.join(" ")], [narrow, wide], kind);
  }
});

test("a row tells the status, and the spec's writer cannot write it", async () => {
  const kind = getKind("WhatsAppNumber");
  const path = pathOf(kind);
  const condition = { lastTransitionTime: "2026-01-01T00:00:00Z", message: "", observedGeneration: 1 };
  const status = {
    observedGeneration: 1,
    maskedPhoneNumber: "+1*******001",
    qualityRating: "Green",
    messagingLimit: "2000",
    messagingLimitUsed: "0.3",
    connection: { epoch: 7, nodeName: "node-1", podUid: "u" },
    conditions: [
      { type: "Ready", status: "False", reason: "NotRegistered", ...condition },
      { type: "Connected", status: "True", reason: "LeaseHeld", ...condition },
    ],
  };
  const created = await api.send("POST", path, { body: { ...smallest(kind), status } });
  assert.equal(created.status, 201);
  const ageless = async (): Promise<unknown[][]> => (await tableOf(path)).rows.map((cells) => cells.with(10, "age"));
  assert.deepEqual(await ageless(), [["orders", null, null, null, null, null, null, null, null, null, "age"]]);
  const contentType = "application/merge-patch+json";
  const patched = await api.send("PATCH", `${path}/orders/status`, { body: { status }, contentType });
  assert.equal(patched.status, 200, JSON.stringify(patched.body));
  const row = ["orders", "False", "NotRegistered", "True", "Green", "2000", "0.3", "+1*******001", 7, "node-1", "age"];
  assert.deepEqual(await ageless(), [row]);
});

test("the server filters by account, class and template name", async () => {
  const count = async (kind: string, fieldSelector: string): Promise<number> => {
    const { status, body } = await api.send("GET", pathOf(getKind(kind)), { query: { fieldSelector } });
    assert.equal(status, 200, JSON.stringify(body));
    return z.object({ items: z.array(z.unknown()) }).parse(body).items.length;
  };
  const kind = getKind("WhatsAppTemplate");
  assert.equal((await api.send("POST", pathOf(kind), { body: smallest(kind) })).status, 201);
  assert.equal(await count("WhatsAppTemplate", "spec.accountRef.name=acme,spec.name=order_update"), 1);
  assert.equal(await count("WhatsAppTemplate", "spec.accountRef.name=other"), 0);
  assert.equal(await count("WhatsAppNumber", "spec.accountRef.name=other,spec.connectionClassName=large"), 0);
});

const sampleSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.object({ name: z.string() }),
});
const places: Record<string, string> = {
  Secret: "/api/v1/namespaces/default/secrets",
  ...Object.fromEntries(
    kindCases.map(({ kind, plural, isClusterWide = false }) => [
      kind,
      `/apis/${apiVersion}${isClusterWide ? "" : "/namespaces/default"}/${plural}`,
    ]),
  ),
};

test("the samples, of every kind, apply to an empty cluster as they are, and a second time without a write", async () => {
  const folder = new URL("../../deploy/samples/", import.meta.url);
  const documents = readdirSync(folder).flatMap((name) => {
    const parsed = parseAllDocuments(readFileSync(new URL(name, folder), "utf8"));
    return "empty" in parsed ? [] : parsed.map((document) => sampleSchema.parse(document.toJS()));
  });
  const kinds = new Set(documents.map(({ kind }) => kind));
  assert.deepEqual([...kinds].toSorted(), Object.keys(places).toSorted());
  const apply = async (
    body: z.infer<typeof sampleSchema>,
    dry: Record<string, string>,
  ): Promise<string | undefined> => {
    const answer = await api.send("PATCH", `${places[body.kind]}/${body.metadata.name}`, {
      body,
      query: { fieldManager: "test", fieldValidation: "Strict", ...dry },
      contentType: "application/apply-patch+yaml",
    });
    assert.ok(answer.status < 300, JSON.stringify(answer.body));
    return objectSchema.parse(answer.body).metadata.resourceVersion;
  };
  for (const document of documents) await apply(document, dryRun);
  const first = await Promise.all(documents.map((document) => apply(document, {})));
  assert.deepEqual(await Promise.all(documents.map((document) => apply(document, {}))), first);
});
