import assert from "node:assert/strict";
import { test } from "node:test";
import { sharedKube } from "#test/env/kube.ts";
import { accessKube, makeNamespace, pods } from "#test/env/kube-objects.ts";
import { loadKinds, type SchemaNode } from "../api/crds.ts";
import { isRecord } from "../runtime/objects.ts";
import { type ClassSpec, defaultClassSpec } from "./class.ts";
import { layOver } from "./merge.ts";
import { type PodInput, podOf, specHashOf } from "./pod.ts";
import { numberWith, settings } from "./test-facts.ts";

function inputWith(changes: Partial<ClassSpec> = {}): PodInput {
  const classSpec = { ...defaultClassSpec, ...changes };
  return { number: numberWith(), classSpec, settings, tokenSecret: "fjord", upstreamUrl: undefined };
}

function podWith(changes: Partial<ClassSpec> = {}, avoidNodes: string[] = []) {
  const pod = podOf(inputWith(changes), "hash", 7, avoidNodes);
  const spec = pod["spec"];
  assert.ok(isRecord(spec));
  const [container] = spec["containers"] as Record<string, unknown>[];
  assert.ok(container !== undefined);
  return { pod, spec, container, env: container["env"] as { name: string; value?: string; valueFrom?: unknown }[] };
}

test("a pod is named after its number and epoch, and tells neither its phone number", () => {
  const { pod } = podWith();
  assert.equal(pod.metadata.name, "orders-c7");
  assert.equal(pod.metadata.labels?.["heliograph.dev/epoch"], "7");
  assert.equal(pod.metadata.ownerReferences?.[0]?.uid, "uid");
  assert.doesNotMatch(JSON.stringify(pod), /15550100001/);
});

test("its environment is what a connection process asks for", () => {
  const { env } = podWith();
  const valueOf = (name: string): string | undefined => env.find((each) => each.name === name)?.value;
  assert.deepEqual(env.find(({ name }) => name === "HOLDER")?.valueFrom, {
    fieldRef: { apiVersion: "v1", fieldPath: "metadata.uid" },
  });
  assert.deepEqual(
    [valueOf("EPOCH"), valueOf("PHONE_NUMBER_ID"), valueOf("MESSAGES_ADDRESS")],
    ["7", "9001", "messages:9090"],
  );
  assert.equal(valueOf("NODE_OPTIONS"), "--max-old-space-size=115");
  assert.deepEqual(env.find(({ name }) => name === "ADVERTISED_HOST")?.valueFrom, {
    fieldRef: { apiVersion: "v1", fieldPath: "status.podIP" },
  });
});

test("nodes to keep away from are kept away from in every alternative", () => {
  const avoid = { key: "metadata.name", operator: "NotIn", values: ["node-1"] };
  const plain = podWith({}, ["node-1"]).spec["affinity"];
  const required = "requiredDuringSchedulingIgnoredDuringExecution";
  assert.deepEqual(plain, { nodeAffinity: { [required]: { nodeSelectorTerms: [{ matchFields: [avoid] }] } } });
  const zone = (name: string): object => ({ matchExpressions: [{ key: "zone", operator: "In", values: [name] }] });
  const own = { nodeAffinity: { [required]: { nodeSelectorTerms: [zone("a"), zone("b")] } } };
  const merged = podWith({ podTemplate: { spec: { affinity: own } } }, ["node-1"]).spec["affinity"];
  assert.deepEqual(merged, {
    nodeAffinity: {
      [required]: { nodeSelectorTerms: [zone("a"), zone("b")].map((term) => ({ ...term, matchFields: [avoid] })) },
    },
  });
});

test("a pod that keeps away from two nodes, and has alternatives, is what the API server takes", async () => {
  await using admin = accessKube(await sharedKube());
  const namespace = await makeNamespace(admin);
  const affinity = {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: "zone", operator: "Exists" }] }],
      },
    },
  };
  const { pod } = podWith({ podTemplate: { spec: { affinity } } }, ["node-1", "node-2"]);
  const { ownerReferences: _, ...metadata } = pod.metadata;
  await admin.client.apply(
    pods,
    { ...pod, metadata: { ...metadata, namespace } },
    { fieldManager: "test", dryRun: true },
  );
});

test("a class lays its template over the pod, but for what the lease stands on", () => {
  const env = [
    { name: "LOG_LEVEL", value: "debug" },
    { name: "HOLDER", value: "me" },
  ];
  const podTemplate = {
    metadata: { labels: { team: "blue", "heliograph.dev/epoch": "1" } },
    spec: {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 0,
      dnsPolicy: "None",
      containers: [
        { name: "connection", env },
        { name: "sidecar", image: "sidecar:1" },
      ],
    },
  };
  const { pod, spec, container } = podWith({ podTemplate });
  assert.deepEqual(
    [spec["restartPolicy"], spec["terminationGracePeriodSeconds"], spec["dnsPolicy"]],
    ["Always", 45, "None"],
  );
  assert.deepEqual([pod.metadata.labels?.["team"], pod.metadata.labels?.["heliograph.dev/epoch"]], ["blue", "7"]);
  const merged = container["env"] as { name: string; value?: string; valueFrom?: unknown }[];
  assert.equal(merged.find(({ name }) => name === "LOG_LEVEL")?.value, "debug");
  assert.ok(merged.find(({ name }) => name === "HOLDER")?.valueFrom);
  assert.equal((spec["containers"] as unknown[]).length, 2);
});

test("a holder of its own in the template is taken away, not only joined", () => {
  const podTemplate = { spec: { containers: [{ name: "connection", env: [{ name: "HOLDER", value: "me" }] }] } };
  const holder = podWith({ podTemplate }).env.find(({ name }) => name === "HOLDER");
  assert.equal(holder?.value, undefined);
});

test("the hash is that of the settings, not of the epoch", () => {
  const hash = specHashOf(inputWith());
  assert.equal(hash, specHashOf(inputWith()));
  assert.notEqual(hash, specHashOf(inputWith({ heapPercent: 50 })));
  assert.notEqual(hash, specHashOf({ ...inputWith(), tokenSecret: "other" }));
});

test("patches merge fields, named items and nothing else; null takes away", () => {
  const base = { a: { b: 1, c: 2 }, env: [{ name: "X", value: "1" }], list: [1, 2] };
  const over = {
    a: { b: 3, c: null },
    env: [
      { name: "Y", value: "2" },
      { name: "X", value: "4" },
    ],
    list: [9],
  };
  assert.deepEqual(layOver(base, over), {
    a: { b: 3 },
    env: [
      { name: "X", value: "4" },
      { name: "Y", value: "2" },
    ],
    list: [9],
  });
});

test("the settings without a class are those that the CRD gives an empty one", () => {
  const schema = loadKinds().find(({ kind }) => kind === "ConnectionClass")?.schema.properties?.["spec"];
  assert.ok(schema !== undefined);
  assert.deepEqual(withDefaults(schema, {}), defaultClassSpec);
});

/** As the API server fills in. */
function withDefaults(schema: SchemaNode, value: unknown): unknown {
  if (Array.isArray(value))
    return value.map((item: unknown) => (schema.items ? withDefaults(schema.items, item) : item));
  if (!isRecord(value)) return value;
  const filled: Record<string, unknown> = { ...value };
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    const given = filled[name] ?? child.default;
    if (given !== undefined) filled[name] = withDefaults(child, given);
  }
  return filled;
}
