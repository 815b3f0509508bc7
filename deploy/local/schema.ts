// CRD schemas as JSON Schema for ajv. Stricter than the API server in one point: a field that the schema does not know is a
// fault, where the server would drop it.
import type { Kind, SchemaNode } from "#operator/api/crds.ts";

type JsonSchema = Record<string, unknown>;

const plainKeywords = [
  "type",
  "required",
  "enum",
  "default",
  "pattern",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "minItems",
  "maxItems",
  "minProperties",
  "maxProperties",
  "x-kubernetes-list-map-keys",
];

/** The JSON Schema of one kind's objects; its metadata is what a person may write there, or what `kubectl get` gives back. */
export function toJsonSchema({ kind, apiVersion, schema }: Kind): JsonSchema {
  const { spec = {}, status = {} } = schema.properties ?? {};
  return {
    type: "object",
    additionalProperties: false,
    required: ["apiVersion", "kind", "metadata", ...(schema.required ?? [])],
    properties: {
      apiVersion: { const: apiVersion },
      kind: { const: kind },
      metadata: metadataSchema,
      spec: translate(spec),
      status: translate(status),
    },
  };
}

function translate(node: SchemaNode): JsonSchema {
  const plain = Object.fromEntries(
    plainKeywords.flatMap((keyword) => (node[keyword] === undefined ? [] : [[keyword, node[keyword]]])),
  );
  if (node.type === "array") {
    const isSet = node["x-kubernetes-list-type"] === "set";
    return { ...plain, items: translate(node.items ?? {}), ...(isSet && { uniqueItems: true }) };
  }
  if (node.type === "integer") return { ...plain, format: node["format"] };
  if (node.type !== "object") return plain;
  const properties = Object.entries(node.properties ?? {}).map(([name, child]) => [name, translate(child)] as const);
  return { ...plain, properties: Object.fromEntries(properties), additionalProperties: othersOf(node) };
}

function othersOf(node: SchemaNode): JsonSchema | boolean {
  if (node.additionalProperties !== undefined) return translate(node.additionalProperties);
  return node["x-kubernetes-preserve-unknown-fields"] === true;
}

/** What ajv does not know of CRDs. */
export const crdKeywords = [
  {
    keyword: "x-kubernetes-list-map-keys",
    type: "array",
    validate: (keys: readonly string[], items: readonly unknown[]): boolean => findRepeat(items, keys) === undefined,
  },
] as const;
export const crdFormats = { int32: true, int64: true } as const;

/** The first item that is equal to an earlier one, in all of `keys` if there are any. */
export function findRepeat(
  items: readonly unknown[],
  keys?: readonly string[],
): { index: number; value: string } | undefined {
  const values = items.map((item) => JSON.stringify(keys === undefined || !isRecord(item) ? item : pick(item, keys)));
  const index = values.findIndex((value, position) => values.indexOf(value) < position);
  const value = values[index];
  return value === undefined ? undefined : { index, value };
}

function pick(item: Record<string, unknown>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.map((key) => [key, item[key]]));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const texts = { type: "object", additionalProperties: { type: "string" } };
const written = {
  name: {
    type: "string",
    maxLength: 253,
    pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
  },
};
const given = [
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "managedFields",
  "selfLink",
  "finalizers",
  "ownerReferences",
];

export const metadataSchema: JsonSchema = {
  type: "object",
  additionalProperties: false,
  required: ["name"],
  properties: {
    ...written,
    namespace: { type: "string", maxLength: 63 },
    labels: texts,
    annotations: texts,
    ...Object.fromEntries(given.map((field) => [field, {}])),
  },
};

/** Kubernetes' own Secret. */
export const secretSchema: JsonSchema = {
  type: "object",
  additionalProperties: false,
  required: ["apiVersion", "kind", "metadata"],
  properties: {
    apiVersion: { const: "v1" },
    kind: { const: "Secret" },
    metadata: metadataSchema,
    type: { type: "string" },
    immutable: { type: "boolean" },
    data: texts,
    stringData: texts,
  },
};
