// JSON schemas for kubeconform: of Kubernetes' kinds from its OpenAPI description, of ours from our CRDs. Strict: a field that is not
// described is an error.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { chartFolder } from "./render.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

const openApiSchema = z.object({ definitions: z.record(z.string(), z.json()) });
const kindsSchema = z.array(z.object({ group: z.string(), kind: z.string(), version: z.string() }));

/** How kubeconform finds the files that are written here, as its -schema-location. */
export function locationOf(folder: string): string {
  return `${folder}/{{ .Group }}-{{ .ResourceKind }}-{{ .ResourceAPIVersion }}.json`;
}

/** To kubeconform the core group is called by its version. */
function fileOf(group: string, kind: string, version: string): string {
  return `${group || version}-${kind.toLowerCase()}-${version}.json`;
}

/** Of the kinds that are asked for. `path` is that of a swagger.json. */
export function writeKubernetesSchemas(path: string, kinds: ReadonlySet<string>, folder: string): void {
  const { definitions } = openApiSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  mkdirSync(folder, { recursive: true });
  for (const [name, definition] of Object.entries(definitions)) {
    if (!isObject(definition)) continue;
    const { data = [] } = kindsSchema.safeParse(definition["x-kubernetes-group-version-kind"]);
    for (const { group, kind, version } of data) {
      if (!kinds.has(kind)) continue;
      const needed = closureOf(name, definitions);
      const strict = Object.fromEntries([...needed].map((one) => [one, strictly(one, definitions[one] ?? {})]));
      const schema = { $ref: `#/definitions/${name}`, definitions: strict };
      writeFileSync(join(folder, fileOf(group, kind, version)), JSON.stringify(schema));
    }
  }
}

/** The names of all definitions that one needs, its own among them. */
function closureOf(name: string, definitions: Record<string, Json>): Set<string> {
  const found = new Set([name]);
  for (const one of found) {
    const references = JSON.stringify(definitions[one] ?? {}).matchAll(/"#\/definitions\/([^"]+)"/g);
    for (const [, other = ""] of references) found.add(other);
  }
  return found;
}

/** What OpenAPI 2 cannot say: amounts and ports are texts or numbers. */
function strictly(name: string, definition: Json): Json {
  if (name.endsWith(".api.resource.Quantity")) return { type: ["string", "number"] };
  if (name.endsWith(".util.intstr.IntOrString")) return { type: ["string", "integer"] };
  return close(definition);
}

/** An object takes the properties that it describes and no others. */
function close(node: Json): Json {
  if (Array.isArray(node)) return node.map(close);
  if (!isObject(node)) return node;
  const closed = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, close(value)]));
  const isOpen = node["x-kubernetes-preserve-unknown-fields"] === true || "additionalProperties" in node;
  return isObject(node["properties"]) && !isOpen ? { ...closed, additionalProperties: false } : closed;
}

const crdSchema = z.object({
  spec: z.object({
    group: z.string(),
    names: z.object({ kind: z.string() }),
    versions: z.array(z.object({ name: z.string(), schema: z.object({ openAPIV3Schema: z.json() }) })),
  }),
});

/** Of every kind that the chart defines. */
export function writeOwnSchemas(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const crds = join(chartFolder, "files/crds");
  for (const name of readdirSync(crds)) {
    const { group, names, versions } = crdSchema.parse(parse(readFileSync(join(crds, name), "utf8"))).spec;
    for (const { name: version, schema } of versions) {
      const closed = close(schema.openAPIV3Schema);
      // Metadata is Kubernetes' own, and everywhere.
      const properties = isObject(closed) && isObject(closed["properties"]) ? closed["properties"] : {};
      const root = { ...(isObject(closed) ? closed : {}), properties: { ...properties, metadata: { type: "object" } } };
      writeFileSync(join(folder, fileOf(group, names.kind, version)), JSON.stringify(root));
    }
  }
}

function isObject(node: Json | undefined): node is JsonObject {
  return typeof node === "object" && node !== null && !Array.isArray(node);
}
