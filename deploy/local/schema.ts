// CRD schemas as JSON Schema for ajv. Stricter than the API server in one point: a field that the schema does not know is a
// fault, where the server would drop it.
import type { SchemaNode } from "#operator/api/crds.ts";
import type { Kind } from "#operator/api/crds.ts";

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
  if (node.type === "array")
    return { ...plain, items: translate(node.items ?? {}), ...(isUnique(node) && { uniqueItems: true }) };
  if (node.type !== "object") return plain;
  const properties = Object.entries(node.properties ?? {}).map(([name, child]) => [name, translate(child)] as const);
  return { ...plain, properties: Object.fromEntries(properties), additionalProperties: false };
}

/** Sets, and maps whose items are nothing but their keys: there, and only there, no two equal items is the whole rule. */
function isUnique(node: SchemaNode): boolean {
  const listType = node["x-kubernetes-list-type"];
  if (listType === "set") return true;
  const keys = node["x-kubernetes-list-map-keys"];
  const fields = Object.keys(node.items?.properties ?? {});
  return listType === "map" && Array.isArray(keys) && fields.every((field) => keys.includes(field));
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
