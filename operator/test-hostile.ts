// Objects of our kinds as nobody in their right mind would write them, and which the schema may still let pass: each field in turn
// gets values that are very long, empty, of strange characters, huge, negative, of another type, or names of what is not there.
import fc from "fast-check";
import type { Kind, SchemaNode } from "./api/crds.ts";

export type Json = Record<string, unknown>;

/** `what` names the field and the value, for failures. */
export type Hostile = { kind: string; what: string; spec: Json; annotations?: Record<string, string> };

type Path = readonly (string | number)[];
type Field = { path: Path; node: SchemaNode };

/** The same for the same seed: at most `most` values of each field of the spec, in the first of `bases` that has a place for it. */
export function hostileSpecs(
  { kind, schema }: Kind,
  bases: readonly Json[],
  { seed, most }: { seed: number; most: number },
): Hostile[] {
  const spec = schema.properties?.["spec"] ?? {};
  return fieldsOf({ path: [], node: spec }).flatMap((field, index) => {
    const [base = {}] = bases.toSorted((a, b) => depthOf(b, field.path) - depthOf(a, field.path));
    return pick(valuesOf(field, seed + index), seed + index, most).map((value) => ({
      kind,
      what: `${kind}.spec.${field.path.join(".")} = ${JSON.stringify(value).slice(0, 100)}`,
      spec: asRecord(withValue(base, field.path, value)),
    }));
  });
}

function fieldsOf({ path, node }: Field): Field[] {
  const below = [
    ...Object.entries(node.properties ?? {}).map(([name, child]) => ({ path: [...path, name], node: child })),
    ...(node.items === undefined ? [] : [{ path: [...path, 0], node: node.items }]),
    ...(node.additionalProperties === undefined ? [] : [{ path: [...path, "key"], node: node.additionalProperties }]),
  ];
  return [...(path.length === 0 ? [] : [{ path, node }]), ...below.flatMap(fieldsOf)];
}

function pick(values: readonly unknown[], seed: number, most: number): unknown[] {
  const bounds = { minLength: Math.min(most, values.length), maxLength: Math.min(most, values.length) };
  const [found = []] = fc.sample(fc.shuffledSubarray([...values], bounds), { seed, numRuns: 1 });
  return found;
}

const strange = [
  "",
  " ",
  "\u0000",
  "\u0007\u001b[31m\r\n\t",
  "\u202Eevil\u200B\uFEFF",
  "\uD800",
  "e\u0301\u{1F469}\u200D\u{1F680}\u{1D573}",
  "../../../etc/passwd",
  "..",
  "a/b%2F..%2e",
  "__proto__",
  "constructor",
  "null",
  "-1",
  "{{1}}",
  "{{",
  "$(POD_IP)",
  "'; drop table templates; --",
  "no-such-thing",
];

const urls = [
  "http://",
  "http://a:99999",
  "HTTPS://EXAMPLE.COM",
  "http://0",
  "http://2130706433/",
  "http://169.254.169.254/latest/meta-data",
  "http://[::1]:1/",
  "http://[fe80::1%25eth0]/",
  "http://xn--a/",
  "http://a..b/",
  "http://%00/",
  "http://user:pass@example.com/",
  "http://exa mple.com",
  "ftp://example.com",
  "file:///etc/passwd",
  "javascript:alert(1)",
  `https://example.com/${"a".repeat(400)}?${"b=c&".repeat(300)}`,
  "https://example.com/{{1}}",
  "https://bücher.example/ä?ö",
];

const numbers = [-1, 0, 1, 7, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 1e300, 1.5, "1", null];

function valuesOf({ path, node }: Field, seed: number): unknown[] {
  if (node["x-kubernetes-preserve-unknown-fields"] === true) return podSpecs;
  switch (node.type) {
    case "string":
      return textsOf(String(path.at(-1)), node, seed);
    case "integer":
      return [...numbers, node["minimum"], node["maximum"], Number(node["maximum"]) + 1];
    case "array":
      return [[], [null], [{}], {}, "x", null];
    default:
      return [{}, [], "x", null, JSON.parse('{"__proto__":{"a":1}}'), { "": "" }, { "a/b/c d": "\u0000" }];
  }
}

function textsOf(name: string, node: SchemaNode, seed: number): unknown[] {
  const longest = Number(node["maxLength"] ?? 64);
  const random = fc.sample(fc.string({ unit: "binary", maxLength: Math.min(longest, 64) }), { seed, numRuns: 3 });
  const words = node.enum ?? [];
  return [
    ...words,
    ...words.slice(0, 1).map((word) => word.toLowerCase()),
    ...(/url|example|text/i.test(name) ? urls : []),
    ...(/Id$|phone/i.test(name) ? ["0", "9".repeat(longest), "+999999999999999", "+10000000", "٣٤٥", "1e3"] : []),
    ...(/name$/i.test(name) ? ["a..b", "a".repeat(longest), "a.", "A", "0"] : []),
    "x".repeat(longest),
    "x".repeat(longest + 1),
    "\u{1F600}".repeat(Math.floor(longest / 2)),
    ...strange,
    ...random,
    7,
    null,
    {},
  ];
}

const connection = (more: Json): Json => ({ containers: [{ name: "connection", ...more }] });

/** Laid over the connection pods. */
const podSpecs: Json[] = [
  { containers: "x" },
  { containers: [null] },
  { containers: [{}] },
  { containers: [{ name: 7 }] },
  { containers: {} },
  connection({ image: 5 }),
  connection({ env: "x" }),
  connection({ env: [{ name: "EPOCH", value: "9" }, { name: "HOLDER" }, null, {}] }),
  connection({ args: null, command: ["sh"] }),
  connection({ securityContext: { privileged: true } }),
  { volumes: {} },
  { volumes: [{ name: "credentials", secret: null }] },
  { restartPolicy: "Never", nodeName: "nowhere", hostNetwork: true },
  { affinity: "x" },
  { affinity: { nodeAffinity: [] } },
  { tolerations: null, topologySpreadConstraints: "x" },
  JSON.parse('{"__proto__":{"a":1},"constructor":1}'),
  JSON.parse(`${'{"affinity":'.repeat(60)}1${"}".repeat(60)}`),
  { serviceAccountName: "a b", priorityClassName: "\u0000" },
];

function asRecord(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function childOf(value: unknown, step: string | number): unknown {
  if (typeof step === "number") return Array.isArray(value) ? value[step] : undefined;
  return asRecord(value)[step];
}

/** How much of the path is there. */
function depthOf(value: unknown, [step, ...rest]: Path): number {
  if (step === undefined) return 0;
  const child = childOf(value, step);
  return child === undefined ? 0 : 1 + depthOf(child, rest);
}

function withValue(base: unknown, [step, ...rest]: Path, value: unknown): unknown {
  if (step === undefined) return value;
  const child = withValue(childOf(base, step), rest, value);
  if (typeof step === "number") return Array.isArray(base) ? base.with(step, child) : [child];
  return { ...asRecord(base), [step]: child };
}
