// Finds (or fetches, once for all parallel runs) the programs that Kubernetes is made of.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "#local/nats.ts";
import { removeFolder } from "#local/server-process.ts";
import { kubernetesVersion, type KubeSource, kubeSources } from "./kube-sources.ts";
import { lockFile } from "./lock.ts";

type Version = { major: number; minor: number };

/** Programs that are found or fetched together. */
export type ProgramSet<Name extends string> = {
  /** Each with the versions that are taken from PATH. */
  programs: Record<Name, (version: Version) => boolean>;
  /** Of the folder in the cache where fetched ones are kept, versions included. */
  name: string;
  /** In the order they are tried. */
  sources: readonly KubeSource[];
  /** What to say, before what was tried, when there is no way to get them. */
  advice: string;
  /** What makes them tell their version. Default: --version. */
  asked?: readonly string[];
};

export type KubeBinaries = Record<"etcd" | "kube-apiserver", string>;

const execute = promisify(execFile);

const controlPlane: ProgramSet<keyof KubeBinaries> = {
  programs: {
    // Debian's etcd 3.4 starts, but 1.36 then times out with "Too large resource version".
    etcd: ({ major, minor }) => major > 3 || (major === 3 && minor >= 6),
    "kube-apiserver": ({ major, minor }) => major === 1 && minor >= 34,
  },
  name: `kubernetes-${kubernetesVersion}`,
  sources: kubeSources,
  advice: `etcd 3.6 and kube-apiserver 1.34, or newer, are needed for the operator's tests.
Put them on PATH, or install Go, and they are built for you.`,
};

/** The variable that tells why there are none: looking again in each test file would take as long again. */
export const kubeMissing = "HELIOGRAPH_TEST_KUBE_MISSING";

/** As findPrograms, of an API server. */
export async function findKubeBinaries(progress: (line: string) => void): Promise<KubeBinaries> {
  const missing = process.env[kubeMissing];
  if (missing !== undefined) throw new Error(missing);
  return findPrograms(controlPlane, progress);
}

/**
 * Paths by name: from PATH, from the cache, else fetched into the cache; `progress` gets a line for each thing that takes long.
 * Rejects with one message that names the ways out.
 */
export async function findPrograms<Name extends string>(
  set: ProgramSet<Name>,
  progress: (line: string) => void,
): Promise<Record<Name, string>> {
  const found = await look(set);
  if (found !== undefined) return found;
  await mkdir(cacheFolder, { recursive: true });
  await using _lock = await lockFile(`${folderOf(set)}.lock`);
  return (await look(set)) ?? (await fetchPrograms(set, progress));
}

function folderOf({ name }: Pick<ProgramSet<string>, "name">): string {
  return join(cacheFolder, name);
}

/** What is in the cache was tried when it came there. */
async function look<Name extends string>(set: ProgramSet<Name>): Promise<Record<Name, string> | undefined> {
  const paths: Partial<Record<Name, string>> = {};
  for (const name in set.programs) {
    const path = (await findOnPath(name, set)) ?? join(folderOf(set), name);
    if (!existsSync(path)) return undefined;
    paths[name] = path;
  }
  return paths as Record<Name, string>;
}

async function findOnPath<Name extends string>(name: Name, set: ProgramSet<Name>): Promise<string | undefined> {
  for (const program of (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, name))) {
    if (!existsSync(program)) continue;
    const version = await versionOf(program, set);
    if (version !== undefined && set.programs[name](version)) return program;
  }
  return undefined;
}

/** Undefined if it does not run here; 0.0 if it does and tells none. */
async function versionOf(
  program: string,
  { asked = ["--version"] }: Pick<ProgramSet<string>, "asked">,
): Promise<Version | undefined> {
  const output = await execute(program, asked).catch(() => undefined);
  const [, major = 0, minor = 0] = /(\d+)\.(\d+)\.\d+/.exec(output?.stdout ?? "") ?? [];
  return output === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

async function fetchPrograms<Name extends string>(
  set: ProgramSet<Name>,
  progress: (line: string) => void,
): Promise<Record<Name, string>> {
  const failures: string[] = [];
  const beside = `${folderOf(set)}.new`;
  for (const { doing, make } of set.sources) {
    progress(doing);
    try {
      await rm(beside, { recursive: true, force: true });
      await mkdir(beside);
      await make(beside, progress);
      for (const name in set.programs) {
        if ((await versionOf(join(beside, name), set)) === undefined) throw new Error(`${name} does not run here`);
      }
      await rm(folderOf(set), { recursive: true, force: true });
      await rename(beside, folderOf(set));
      const found = await look(set);
      if (found !== undefined) return found;
    } catch (error) {
      const why = (error instanceof Error ? error.message : String(error)).trim().split("\n").at(-1) ?? "";
      failures.push(`${doing}: ${why}`);
    } finally {
      removeFolder(beside);
    }
  }
  throw new Error([set.advice, ...failures.map((failure) => `tried: ${failure}`)].join("\n"));
}
