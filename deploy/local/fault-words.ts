// What ajv finds, in the words of the API server (1.36) and by its field, so that a bad manifest reads the same in both. The value
// that the server quotes is left out, since it may be a secret.
import type { ErrorObject } from "ajv";
import { z } from "zod";
import { findRepeat } from "./schema.ts";

const objectName =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with " +
  "an alphanumeric character (e.g. 'example.com', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

// With these the server does not ask the CEL rules: they might not find what they look at.
const blocking = new Set([
  "type",
  "required",
  "enum",
  "const",
  "maxLength",
  "maxItems",
  "maxProperties",
  "additionalProperties",
]);

export function hidesRules({ keyword }: ErrorObject): boolean {
  return blocking.has(keyword);
}

/** One line, `field: what is wrong`. The error is one of a verbose ajv. */
export function inServerWords(error: ErrorObject): string {
  const path = pathOf(error);
  const { keyword, params, data } = error;
  const limit = String(params["limit"]);
  switch (keyword) {
    case "required":
      return `${below(path, params["missingProperty"])}: Required value`;
    case "additionalProperties":
      return `unknown field "${below(path, params["additionalProperty"])}"`;
    case "uniqueItems":
    case "x-kubernetes-list-map-keys":
      return duplicateOf(path, error);
    default:
      return `${path}: ${wordsOf(keyword, limit, error) ?? `${error.message ?? "is wrong"} (${typeNameOf(data)})`}`;
  }
}

function pathOf({ instancePath }: ErrorObject): string {
  return instancePath
    .slice(1)
    .replaceAll(/\/(\d+)/g, "[$1]")
    .replaceAll("/", ".");
}

function below(path: string, name: unknown): string {
  return path === "" ? String(name) : `${path}.${String(name)}`;
}

const plainSchema = z.object({ type: z.string().optional(), format: z.string().optional() });

function wordsOf(
  keyword: string,
  limit: string,
  { instancePath, params, parentSchema, data }: ErrorObject,
): string | undefined {
  switch (keyword) {
    case "type": {
      const { type = "object", format = "integer" } = plainSchema.parse(parentSchema);
      const found = typeNameOf(data);
      return `must be of type ${found === "float64" && type === "integer" ? format : type}: "${found}"`;
    }
    case "enum":
      return `supported values: ${z
        .array(z.string())
        .parse(params["allowedValues"])
        .map((value) => `"${value}"`)
        .join(", ")}`;
    case "pattern":
      return instancePath === "/metadata/name" ? objectName : `should match '${String(params["pattern"])}'`;
    case "minimum":
      return `should be greater than or equal to ${limit}`;
    case "maximum":
      return `should be less than or equal to ${limit}`;
    case "minLength":
      return `should be at least ${limit} chars long`;
    case "maxLength":
      return `may not be more than ${limit} bytes`;
    case "minItems":
      return `should have at least ${limit} items`;
    case "minProperties":
      return `should have at least ${limit} properties`;
    case "maxItems":
    case "maxProperties":
      return `must have at most ${limit} items`;
    default:
      return undefined;
  }
}

/** Go's names for what JSON holds. */
function typeNameOf(data: unknown): string {
  if (data === null) return "null";
  if (Array.isArray(data)) return "array";
  if (typeof data === "number") return Number.isInteger(data) ? "integer" : "float64";
  return typeof data;
}

function duplicateOf(path: string, { schema, data }: ErrorObject): string {
  const repeat = findRepeat(z.array(z.unknown()).parse(data), z.array(z.string()).safeParse(schema).data);
  return `${path}[${repeat?.index ?? 0}]: Duplicate value: ${repeat?.value ?? ""}`;
}
