// Reads the resources from a folder of YAML, the same files that `kubectl apply` takes, and says everything that is wrong with
// them, a line each: what schemas and rules say, what is declared twice, and references that lead nowhere.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { LineCounter, parseAllDocuments } from "yaml";
import { z } from "zod";
import type { WebhookSubscription } from "#operator/api/v1alpha1/webhook-subscription.ts";
import type { WhatsAppBusinessAccount } from "#operator/api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "#operator/api/v1alpha1/whatsapp-number.ts";
import type { WhatsAppTemplate } from "#operator/api/v1alpha1/whatsapp-template.ts";
import { checkDocument } from "./checkers.ts";
import { findReferenceFaults } from "./references.ts";
import { type Declared, valuesOf } from "./resources.ts";

export type Manifests = {
  accounts: WhatsAppBusinessAccount[];
  numbers: WhatsAppNumber[];
  subscriptions: WebhookSubscription[];
  templates: WhatsAppTemplate[];
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

/**
 * Reads every .yaml, .yml and .json file of the folder, in order of name. Defaults are filled in. Throws ManifestError.
 * Further Secrets may stand in `secretsFolder` as pods get them: a folder for each, with a file for each key.
 */
export function readManifests(folder: string, secretsFolder?: string): Manifests {
  const found: Declared[] = secretsFolder === undefined ? [] : readSecrets(secretsFolder);
  const faults: string[] = [];
  for (const path of listFiles(folder)) {
    const file = shortPath(path);
    const read = readFile(path);
    faults.push(...read.faults.map((fault) => `${file}: ${fault}`));
    for (const { name, value } of read.documents) {
      const checked = checkDocument(value);
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
    templates: resources.filter((resource) => resource.kind === "WhatsAppTemplate"),
    secrets: new Map(
      resources
        .filter((resource) => resource.kind === "Secret")
        .map((secret) => [secret.metadata.name, valuesOf(secret)]),
    ),
  };
}

/** What is no folder, or hidden as Kubernetes hides the versions of a mounted Secret, is left aside. */
function readSecrets(secretsFolder: string): Declared[] {
  const names = readdirSync(secretsFolder).filter((name) => statSync(join(secretsFolder, name)).isDirectory());
  return names.map((name) => {
    const folder = join(secretsFolder, name);
    const keys = readdirSync(folder).filter((key) => !key.startsWith(".") && statSync(join(folder, key)).isFile());
    const stringData = Object.fromEntries(keys.map((key) => [key, readFileSync(join(folder, key), "utf8").trim()]));
    return { file: folder, resource: { kind: "Secret", metadata: { name }, stringData } };
  });
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
