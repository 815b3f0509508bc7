// Makes the resources' types from the CRDs: `node operator/api/generate.ts`. A test fails while they differ.
// The types are those of stored objects: a field with a default is always there.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Kind, loadKinds, type SchemaNode } from "./crds.ts";

/** Path (absolute) and content of the file that holds the type of a kind. */
export function typeFileOf(kind: Kind): { path: string; text: string } {
  const base = kind.kind.replace("WhatsApp", "Whatsapp").replaceAll(/(?<=[a-z])(?=[A-Z])/g, "-");
  const path = fileURLToPath(new URL(`./${kind.version}/${base.toLowerCase()}.ts`, import.meta.url));
  const { spec = {}, status } = kind.schema.properties ?? {};
  const lines = [
    "// Made by operator/api/generate.ts from the CRD. Do not edit.",
    'import type { ObjectMeta } from "../metadata.ts";',
    "",
    `export type ${kind.kind} = {`,
    `  apiVersion: "${kind.apiVersion}";`,
    `  kind: "${kind.kind}";`,
    "  metadata: ObjectMeta;",
    `  spec: ${typeOf(spec, "  ")};`,
    ...(status === undefined ? [] : [`  status?: ${typeOf(status, "  ")};`]),
    "};",
    "",
  ];
  return { path, text: lines.join("\n") };
}

function typeOf(node: SchemaNode, indent: string): string {
  if (node.enum !== undefined) return node.enum.map((value) => JSON.stringify(value)).join(" | ");
  switch (node.type) {
    case "string":
      return "string";
    case "integer":
      return "number";
    case "array":
      return arrayOf(typeOf(node.items ?? {}, indent));
    case "object":
      if (node.additionalProperties !== undefined)
        return `Record<string, ${typeOf(node.additionalProperties, indent)}>`;
      return node["x-kubernetes-preserve-unknown-fields"] === true ? "Record<string, unknown>" : objectOf(node, indent);
    default:
      throw new Error(`schema node without a type that we know: ${JSON.stringify(node)}`);
  }
}

function arrayOf(element: string): string {
  return element.includes(" | ") && !element.startsWith("{") ? `(${element})[]` : `${element}[]`;
}

function objectOf(node: SchemaNode, indent: string): string {
  const fields = Object.entries(node.properties ?? {}).map(([name, child]) => {
    const always = node.required?.includes(name) === true || child.default !== undefined;
    return `${indent}  ${name}${always ? "" : "?"}: ${typeOf(child, `${indent}  `)};`;
  });
  return `{\n${fields.join("\n")}\n${indent}}`;
}

if (import.meta.main) {
  for (const kind of loadKinds()) {
    const { path, text } = typeFileOf(kind);
    writeFileSync(path, text);
  }
}
