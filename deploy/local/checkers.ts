// What a manifest is checked against: the schema of its kind, then the rules of its kind. The words are those of the API server.
import { Ajv, type ValidateFunction } from "ajv";
import { z } from "zod";
import { loadKinds } from "#operator/api/crds.ts";
import { compileRules, type RuleCheck } from "./cel.ts";
import { hidesRules, inServerWords } from "./fault-words.ts";
import type { Resource } from "./resources.ts";
import { crdFormats, crdKeywords, isRecord, secretSchema, toJsonSchema } from "./schema.ts";

type Checker = { kind: string; apiVersion: string; isValid: ValidateFunction<Resource>; faultsByRule: RuleCheck };

let compiled: readonly Checker[] | undefined;

/** Of every kind of ours and of Secret. They take 0.2 s of CPU to compile. */
function createCheckers(): readonly Checker[] {
  const ajv = new Ajv({
    allErrors: true,
    useDefaults: true,
    verbose: true,
    keywords: [...crdKeywords],
    formats: crdFormats,
  });
  const own = loadKinds().map((kind) => ({
    kind: kind.kind,
    apiVersion: kind.apiVersion,
    isValid: ajv.compile<Resource>(toJsonSchema(kind)),
    faultsByRule: compileRules(kind.schema),
  }));
  const secret = { kind: "Secret", apiVersion: "v1", isValid: ajv.compile<Resource>(secretSchema) };
  return [{ ...secret, faultsByRule: () => [] }, ...own];
}

const headSchema = z.object({ apiVersion: z.string().optional(), kind: z.string().optional() });

/** The resource with its defaults filled in, or a line for each fault. */
export function checkDocument(document: unknown): { resource: Resource } | { faults: string[] } {
  compiled ??= createCheckers();
  const value = withoutNulls(document);
  const { apiVersion = "(none)", kind = "(none)" } = headSchema.safeParse(value).data ?? {};
  const checker = compiled.find((candidate) => candidate.kind === kind && candidate.apiVersion === apiVersion);
  if (checker === undefined) {
    const known = compiled.map((candidate) => `${candidate.kind} (${candidate.apiVersion})`).join(", ");
    return { faults: [`apiVersion ${apiVersion} with kind ${kind} is not known here, known are ${known}`] };
  }
  const { isValid, faultsByRule } = checker;
  if (isValid(value)) {
    const faults = faultsByRule(value);
    return faults.length === 0 ? { resource: value } : { faults };
  }
  const errors = isValid.errors ?? [];
  const faults = errors.map(inServerWords);
  return { faults: [...new Set(errors.some(hidesRules) ? faults : [...faults, ...faultsByRule(value)])] };
}

/** A copy in which fields that hold null are missing, which is how the API server sees them. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isRecord(value)) return value;
  const filled = Object.entries(value).filter(([, child]) => child !== null);
  return Object.fromEntries(filled.map(([name, child]) => [name, withoutNulls(child)]));
}
