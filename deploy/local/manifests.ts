// Reads the resources from a folder of YAML, the same files that `kubectl apply` takes, and says everything that is wrong with
// them, a line each: what the schemas say, what is declared twice, and references that lead nowhere.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { LineCounter, parseAllDocuments } from "yaml";
import { z } from "zod";
import { loadKinds } from "#operator/api/crds.ts";
import type { WebhookSubscription } from "#operator/api/v1alpha1/webhook-subscription.ts";
import type { WhatsAppBusinessAccount } from "#operator/api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "#operator/api/v1alpha1/whatsapp-number.ts";
import { findReferenceFaults } from "./references.ts";
import { type Declared, type Resource, type Secret, valuesOf } from "./resources.ts";
import { secretSchema, toJsonSchema } from "./schema.ts";

export type Manifests = {
  accounts: WhatsAppBusinessAccount[];
  numbers: WhatsAppNumber[];
  subscriptions: WebhookSubscription[];
  /** Decoded values by the Secret's name and key. */
  secrets: ReadonlyMap<string, Readonly<Record<string, string>>>;
};

/** The manifests cannot be used. `faults` has a line for each thing that is wrong. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join("\n"));
    this.faults = faults;
  }
}

/** Reads every .yaml, .yml and .json file of the folder, in order of name. Defaults are filled in. Throws ManifestError. */
export function readManifests(folder: string): Manifests {
  const checkers = createCheckers();
  const found: Declared[] = [];
  const faults: string[] = [];
  for (const path of listFiles(folder)) {
    const file = shortPath(path);
    const read = readFile(path);
    faults.push(...read.faults.map((fault) => `${file}: ${fault}`));
    for (const { name, value } of read.documents) {
      const checked = checkDocument(checkers, value);
      if ("resource" in checked) found.push({ file, resource: checked.resource });
      else faults.push(...checked.faults.map((fault) => `${file}: ${name}: ${fault}`));
    }
  }
  faults.push(...findReferenceFaults(found));
  if (faults.length === 0 && found.every(({ resource }) => resource.kind !== "WhatsAppNumber")) {
    faults.push(`${folder}: no WhatsAppNumber is declared`);
  }
  if (faults.length > 0) throw new ManifestError(faults);
  const resources = found.map(({ resource }) => resource);
  return {
    accounts: resources.filter((resource) => resource.kind === "WhatsAppBusinessAccount"),
    numbers: resources.filter((resource) => resource.kind === "WhatsAppNumber"),
    subscriptions: resources.filter((resource) => resource.kind === "WebhookSubscription"),
    secrets: new Map(
      resources
        .filter((resource) => resource.kind === "Secret")
        .map((secret) => [secret.metadata.name, valuesOf(secret)]),
    ),
  };
}

/** As a person would write it: from here if it is below, else from the root. */
function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") ? path : fromHere;
}

const unreadable: Partial<Record<string, string>> = {
  ENOENT: "there is no such folder",
  ENOTDIR: "is not a folder",
  EACCES: "you may not read it",
};

function listFiles(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const why = unreadable[code] ?? `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    throw new ManifestError([`${folder}: ${why}; --numbers names the folder of the manifests`]);
  }
  const files = names.filter((name) => /\.(ya?ml|json)$/.test(name)).sort();
  if (files.length === 0) throw new ManifestError([`${folder}: no manifests (.yaml files) here`]);
  return files.map((name) => join(folder, name));
}

const headSchema = z.object({
  apiVersion: z.string().optional(),
  kind: z.string().optional(),
  metadata: z.object({ name: z.string().optional() }).optional(),
});

type Document = { name: string; value: unknown };

function readFile(path: string): { documents: Document[]; faults: string[] } {
  const lineCounter = new LineCounter();
  const parsed = parseAllDocuments(readFileSync(path, "utf8"), { lineCounter, prettyErrors: false });
  const documents: Document[] = [];
  const faults: string[] = [];
  for (const document of "empty" in parsed ? [] : parsed) {
    const line = lineCounter.linePos(document.range[0]).line;
    for (const error of document.errors)
      faults.push(`line ${lineCounter.linePos(error.pos[0]).line}: ${error.message}`);
    if (document.errors.length > 0) continue;
    const value: unknown = document.toJS();
    if (value !== null) documents.push({ name: nameOf(value, line), value });
  }
  return { documents, faults };
}

function nameOf(value: unknown, line: number): string {
  const head = headSchema.safeParse(value).data;
  if (head?.kind === undefined) return `document at line ${line}`;
  return `${head.kind}/${head.metadata?.name ?? `(no name, line ${line})`}`;
}

type Checker = { kind: Resource["kind"]; apiVersion: string; isValid: ValidateFunction<Resource> };

function createCheckers(): Checker[] {
  const ajv = new Ajv({ allErrors: true, useDefaults: true });
  const kinds = loadKinds();
  const own = <R extends Resource>(name: R["kind"]): Checker => {
    const kind = kinds.find((candidate) => candidate.kind === name);
    if (kind === undefined) throw new Error(`the chart has no CRD of ${name}`);
    return { kind: name, apiVersion: kind.apiVersion, isValid: ajv.compile<R>(toJsonSchema(kind)) };
  };
  return [
    { kind: "Secret", apiVersion: "v1", isValid: ajv.compile<Secret>(secretSchema) },
    own<WhatsAppBusinessAccount>("WhatsAppBusinessAccount"),
    own<WhatsAppNumber>("WhatsAppNumber"),
    own<WebhookSubscription>("WebhookSubscription"),
  ];
}

function checkDocument(checkers: readonly Checker[], value: unknown): { resource: Resource } | { faults: string[] } {
  const { apiVersion = "(none)", kind = "(none)" } = headSchema.safeParse(value).data ?? {};
  const checker = checkers.find((candidate) => candidate.kind === kind && candidate.apiVersion === apiVersion);
  if (checker === undefined) {
    const known = checkers.map((candidate) => `${candidate.kind} (${candidate.apiVersion})`).join(", ");
    return { faults: [`apiVersion ${apiVersion} with kind ${kind} is not known here, known are ${known}`] };
  }
  const { isValid } = checker;
  if (isValid(value)) return { resource: value };
  return { faults: [...new Set((isValid.errors ?? []).map(describe))] };
}

/** By the field's name: a person reads words more easily than a regular expression. */
const patternInWords: Partial<Record<string, string>> = {
  url: "an http or https URL, without user name, password and #fragment",
  upstreamUrl: "an http or https URL, without user name, password, query and #fragment",
  phoneNumber: "a phone number in E.164 form, such as +15550100001",
  phoneNumberId: "an id of decimal digits",
  wabaId: "an id of decimal digits",
  name: "small letters, digits, '-' and '.', with a letter or digit first and last",
  key: "letters, digits, '-', '_' and '.'",
};

function lastName(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

function describe({ instancePath, keyword, params, message = "is wrong" }: ErrorObject): string {
  const path = instancePath
    .slice(1)
    .replaceAll(/\/(\d+)/g, "[$1]")
    .replaceAll("/", ".");
  const child = (name: unknown): string => (path === "" ? String(name) : `${path}.${String(name)}`);
  switch (keyword) {
    case "required":
      return `${child(params.missingProperty)} is required`;
    case "additionalProperties":
      return `${child(params.additionalProperty)} is not a known field`;
    case "enum":
      return `${path} must be one of ${Array.isArray(params.allowedValues) ? params.allowedValues.join(", ") : "the allowed values"}`;
    case "pattern":
      return `${path} must be ${patternInWords[lastName(path)] ?? `of the pattern ${String(params.pattern)}`}`;
    case "uniqueItems":
      return `${path} has an item twice`;
    default:
      return `${path} ${message}`;
  }
}
