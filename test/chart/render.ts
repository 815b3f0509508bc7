// Renders the chart with a real helm, as someone who installs it would.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { type ChartProgram, findChartProgram } from "#test/env/chart-programs.ts";

export const chartFolder = fileURLToPath(new URL("../../charts/heliograph/", import.meta.url));

/** Values files by the profile's name; the default has none. */
export const profiles = {
  default: [],
  production: ["values-production.yaml"],
  "all-on": ["ci/all-on-values.yaml"],
} as const satisfies Record<string, readonly string[]>;

export type Profile = keyof typeof profiles;

export const release = "wa";
export const namespace = "shop";

const environmentSchema = z.object({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z.looseObject({}).optional(),
});

const containerSchema = z.looseObject({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()).default([]),
  env: z.array(environmentSchema).default([]),
  ports: z.array(z.looseObject({ name: z.string(), containerPort: z.number() })).default([]),
  securityContext: z.looseObject({}),
  resources: z.looseObject({ limits: z.record(z.string(), z.unknown()), requests: z.record(z.string(), z.unknown()) }),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })).default([]),
});

export const podSpecSchema = z.looseObject({
  containers: z.array(containerSchema),
  securityContext: z.looseObject({}),
  automountServiceAccountToken: z.boolean(),
  volumes: z.array(z.looseObject({ name: z.string() })).default([]),
});

export type PodSpec = z.infer<typeof podSpecSchema>;

const manifestSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).default({}),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.looseObject({}).optional(),
});

export type Manifest = z.infer<typeof manifestSchema>;

type Ran = { code: number; stdout: string; stderr: string };

const execute = promisify(execFile);
const progress = (line: string): void => void process.stderr.write(`${line}\n`);

/** Runs one of the chart's programs; never rejects because of its exit code. */
export async function runChartProgram(name: ChartProgram, args: readonly string[]): Promise<Ran> {
  const program = await findChartProgram(name, progress);
  const folder = mkdtempSync(join(tmpdir(), "heliograph-helm-"));
  // Nothing of the person's own helm is read or changed.
  const env = { ...process.env, HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder, HELM_DATA_HOME: folder };
  try {
    const { stdout, stderr } = await execute(program, args, { env, maxBuffer: 2 ** 26 });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: unknown; stdout?: string; stderr?: string };
    if (typeof code !== "number") throw error;
    return { code, stdout: stdout ?? "", stderr: stderr ?? "" };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Rendering = { profile?: Profile; set?: Record<string, unknown>; helm?: "helm" | "helm3" };

const rendered = new Map<string, Promise<Ran>>();

/** `helm template` as text; `set` is laid over the profile's values. The same is rendered once in a process. */
export function template(rendering: Rendering = {}): Promise<Ran> {
  const key = JSON.stringify(rendering);
  const known = rendered.get(key) ?? renderText(rendering);
  rendered.set(key, known);
  return known;
}

// Helm 3 takes 1.20 for the cluster that it does not see.
const kubernetesVersion = "1.36.0";

async function renderText({ profile = "default", set = {}, helm = "helm" }: Rendering): Promise<Ran> {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-values-"));
  try {
    const own = join(folder, "values.json");
    writeFileSync(own, JSON.stringify(set));
    const files = [...profiles[profile].map((name) => join(chartFolder, name)), own];
    const args = ["template", release, chartFolder, "--namespace", namespace, "--kube-version", kubernetesVersion];
    return await runChartProgram(helm, [...args, ...files.flatMap((file) => ["-f", file])]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The objects of a release, hooks included. Throws with helm's words. */
export async function render(rendering: Rendering = {}): Promise<Manifest[]> {
  const { code, stdout, stderr } = await template(rendering);
  if (code !== 0) throw new Error(`helm template failed: ${stderr}`);
  return parseManifests(stdout);
}

export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as unknown)
    .filter((document) => document !== null)
    .map((document) => manifestSchema.parse(document));
}

/** The pods that a manifest makes, or is. */
export function podSpecOf({ kind, spec }: Manifest): PodSpec | undefined {
  if (kind === "Pod") return podSpecSchema.parse(spec);
  if (kind !== "Deployment" && kind !== "StatefulSet") return undefined;
  return z.object({ template: z.object({ spec: podSpecSchema }) }).parse(spec).template.spec;
}

/** Of the kind and name below the release's. */
export function getManifest(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((one) => one.kind === kind && one.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
}
