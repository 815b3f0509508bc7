// Values: every one documented and checked, a wrong one refused by its path.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { chartFolder, template } from "./render.ts";
import { readmeWithTable, valueRows } from "./values-table.ts";

type Schema = {
  $ref?: string | undefined;
  additionalProperties?: unknown;
  properties?: Record<string, Schema> | undefined;
  definitions?: Record<string, Schema> | undefined;
};

const schemaSchema: z.ZodType<Schema> = z.lazy(() =>
  z.looseObject({
    $ref: z.string().optional(),
    additionalProperties: z.unknown().optional(),
    properties: z.record(z.string(), schemaSchema).optional(),
    definitions: z.record(z.string(), schemaSchema).optional(),
  }),
);

const schema = schemaSchema.parse(JSON.parse(readFileSync(join(chartFolder, "values.schema.json"), "utf8")));

test("README's table is what the comments of values.yaml say (else: node test/chart/values-table.ts)", () => {
  assert.equal(readFileSync(join(chartFolder, "README.md"), "utf8"), readmeWithTable());
});

test("whatever the schema allows is in values.yaml, or is a key of pods", () => {
  const documented = new Set(valueRows().map(({ path }) => path));
  const ofPods = new Set([...Object.keys(schema.properties?.["pods"]?.properties ?? {}), "image"]);
  const unknown: string[] = [];
  const walk = ({ $ref, properties = {} }: Schema, path: string): void => {
    if ($ref !== undefined || documented.has(path)) {
      if (Object.keys(properties).length === 0 || !hasBelow(documented, path)) return;
    }
    for (const [name, child] of Object.entries(properties)) {
      const below = path === "" ? name : `${path}.${name}`;
      if (ofPods.has(name) && path !== "" && !documented.has(below)) continue;
      if (!documented.has(below) && !hasBelow(documented, below)) unknown.push(below);
      walk(child, below);
    }
  };
  walk(schema, "");
  assert.deepEqual(unknown, []);
});

function hasBelow(paths: ReadonlySet<string>, path: string): boolean {
  return Array.from(paths).some((one) => one.startsWith(`${path}.`));
}

test("no object of ours takes a key that nobody knows; global alone is shared with other charts", () => {
  const open: string[] = [];
  const walk = (node: Schema, path: string): void => {
    if (node.properties !== undefined && node.additionalProperties !== false) open.push(path);
    for (const [name, child] of Object.entries({ ...node.properties, ...node.definitions }))
      walk(child, `${path}.${name}`);
  };
  walk(schema, "");
  // What a Gateway's reference may hold is the Gateway API's to say.
  assert.deepEqual(open, [".global"]);
});

const wrong: [sentence: string, set: Record<string, unknown>, told: RegExp][] = [
  ["a text for a count", { gateway: { replicas: "two" } }, /gateway[./]replicas/],
  ["a key that does not exist", { gateway: { replica: 2 } }, /gateway.*replica'/],
  ["a part that does not exist", { gatway: {} }, /gatway/],
  ["a level of logging that does not exist", { logLevel: "verbose" }, /logLevel/],
  ["a mode that does not exist", { postgres: { mode: "mysql" } }, /postgres[./]mode/],
  ["two NATS servers, which cannot agree", { nats: { standalone: { replicas: 2 } } }, /nats[./]standalone[./]replicas/],
  [
    "a password in an address that pods show",
    { nats: { external: { url: "nats://a:b@c:4222" } } },
    /nats[./]external[./]url/,
  ],
  ["a digest that is none", { image: { digest: "latest" } }, /image[./]digest/],
  [
    "an amount of memory that is none",
    { messages: { resources: { limits: { memory: "1 GB" } } } },
    /messages[./]resources[./]limits[./]memory/,
  ],
  ["a key that pods do not have", { quality: { podLabel: {} } }, /quality.*podLabel'/],
  ["a number as a label", { pods: { podLabels: { tier: 1 } } }, /pods[./]podLabels[./]tier/],
  ["messages kept for fewer days than a status may take", { messages: { messageDays: 30 } }, /messages[./]messageDays/],
  ["a time that is none", { messages: { recoverSince: "yesterday" } }, /messages[./]recoverSince/],
  [
    "a path that does not begin with a slash",
    { gateway: { ingress: { paths: ["api"] } } },
    /gateway[./]ingress[./]paths[./]0/,
  ],
  ["a port out of range", { networkPolicy: { dnsPorts: [70_000] } }, /networkPolicy[./]dnsPorts[./]0/],
  [
    "more copies of an autoscaler than there may be",
    { webhooks: { autoscaling: { maxReplicas: 1_000 } } },
    /webhooks[./]autoscaling[./]maxReplicas/,
  ],
  ["a variable without a name", { billing: { extraEnv: [{ value: "a" }] } }, /billing[./]extraEnv[./]0/],
  ["a simulator of two copies", { simulator: { replicas: 2 } }, /simulator.*replicas'/],
  ["a TLS that is a text", { tls: { enabled: "yes" } }, /tls[./]enabled/],
  ["a scope that does not exist", { operator: { scope: "Everything" } }, /operator[./]scope/],
];

for (const [sentence, set, told] of wrong) {
  test(`refused with its path: ${sentence}`, async () => {
    const { code, stderr } = await template({ set });
    assert.notEqual(code, 0);
    assert.match(stderr, told);
  });
}
