// What our CRDs must have that the API server does not ask for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadKinds, type SchemaNode } from "./crds.ts";

type Field = { path: string; node: SchemaNode };

function fieldsOf(path: string, node: SchemaNode): Field[] {
  const { properties = {}, items, additionalProperties } = node;
  return [
    { path, node },
    ...Object.entries(properties).flatMap(([name, child]) => fieldsOf(`${path}.${name}`, child)),
    ...(items === undefined ? [] : fieldsOf(`${path}[]`, items)),
    ...(additionalProperties === undefined ? [] : fieldsOf(`${path}{}`, additionalProperties)),
  ];
}

const fields = loadKinds().flatMap(({ kind, schema }) => fieldsOf(kind, schema));

function isUnbounded({ node }: Field): boolean {
  switch (node.type) {
    case "string":
      return node["maxLength"] === undefined && node.enum === undefined;
    case "array":
      return node["maxItems"] === undefined;
    case "integer":
      return node["minimum"] === undefined || node["maximum"] === undefined;
    case "object":
      return node.additionalProperties !== undefined && node["maxProperties"] === undefined;
    default:
      return true;
  }
}

test("every value has a bound, so that the cost of rules can be told and no object grows without end", () => {
  assert.deepEqual(
    fields.filter(isUnbounded).map(({ path }) => path),
    [],
  );
});

test("kubectl explain has words for every field", () => {
  const isNamed = ({ path }: Field): boolean => /\w$/.test(path) && !/\.metadata(\.name)?$/.test(path);
  const silent = fields.filter((field) => isNamed(field) && typeof field.node["description"] !== "string");
  assert.deepEqual(
    silent.map(({ path }) => path),
    [],
  );
});

test("every list says how it is merged; lists of objects by their keys, unless their order is content", () => {
  const lists = fields.filter(({ node }) => node.type === "array");
  const byType = Object.groupBy(lists, ({ node }) => String(node["x-kubernetes-list-type"]));
  assert.deepEqual(Object.keys(byType).toSorted(), ["atomic", "map", "set"]);
  assert.deepEqual(
    byType["atomic"]?.map(({ path }) => path),
    ["ConnectionClass.spec.tolerations", "WhatsAppTemplate.spec.buttons"],
  );
});

test("only the pod template may hold what the schema does not know", () => {
  const open = fields.filter(({ node }) => node["x-kubernetes-preserve-unknown-fields"] === true);
  assert.deepEqual(
    open.map(({ path }) => path),
    ["ConnectionClass.spec.podTemplate.spec"],
  );
});
