// Our CustomResourceDefinitions, read from the chart: they are the source of the resources' shape, for types and for checks.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";

const rule = z.object({
  rule: z.string(),
  message: z.string(),
  // With FieldValueDuplicate the API server (1.36) leaves the message out.
  reason: z.enum(["FieldValueInvalid", "FieldValueRequired", "FieldValueForbidden"]),
  /** Below the node that has the rule; absent: the node itself. */
  fieldPath: z.string().startsWith(".").optional(),
});

/** A rule in CEL, and what a person is told who breaks it. */
export type Rule = z.infer<typeof rule>;

/** One node of an openAPIV3Schema, as far as we look into it. */
export type SchemaNode = {
  type?: "object" | "array" | "string" | "integer" | undefined;
  properties?: Record<string, SchemaNode> | undefined;
  items?: SchemaNode | undefined;
  additionalProperties?: SchemaNode | undefined;
  required?: string[] | undefined;
  enum?: string[] | undefined;
  default?: unknown;
  "x-kubernetes-validations"?: Rule[] | undefined;
  [keyword: string]: unknown;
};

const schemaNode: z.ZodType<SchemaNode> = z.lazy(() =>
  z.looseObject({
    type: z.enum(["object", "array", "string", "integer"]).optional(),
    properties: z.record(z.string(), schemaNode).optional(),
    items: schemaNode.optional(),
    additionalProperties: schemaNode.optional(),
    required: z.array(z.string()).optional(),
    enum: z.array(z.string()).optional(),
    "x-kubernetes-validations": z.array(rule).optional(),
  }),
);

const crd = z.object({
  spec: z.object({
    group: z.string(),
    names: z.object({ kind: z.string() }),
    versions: z.array(z.object({ name: z.string(), schema: z.object({ openAPIV3Schema: schemaNode }) })).length(1),
  }),
});

/** A kind of ours with the schema of its one version. */
export type Kind = { kind: string; version: string; apiVersion: string; schema: SchemaNode };

const crdFolder = fileURLToPath(new URL("../../charts/heliograph/files/crds/", import.meta.url));

/** Every kind that the chart defines. */
export function loadKinds(): Kind[] {
  const files = readdirSync(crdFolder).filter((name) => name.endsWith(".yaml"));
  return files.sort().flatMap((name) => {
    const { group, names, versions } = crd.parse(parse(readFileSync(crdFolder + name, "utf8"))).spec;
    return versions.map((version) => ({
      kind: names.kind,
      version: version.name,
      apiVersion: `${group}/${version.name}`,
      schema: version.schema.openAPIV3Schema,
    }));
  });
}
