// Finds (or fetches, once for all parallel runs) etcd and kube-apiserver.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "#local/nats.ts";
import { removeFolder } from "#local/server-process.ts";
import { kubernetesVersion, kubeSources } from "./kube-sources.ts";
import { lockFile } from "./lock.ts";

export type KubeBinaries = { etcd: string; apiserver: string };

const execute = promisify(execFile);
// Debian's etcd 3.4 starts, but 1.36 then times out with "Too large resource version".
const oldestEtcd = [3, 6] as const;
const oldestKubernetes = [1, 34] as const;

/**
 * From PATH, from the cache, else fetched into the cache; `progress` gets a line for each thing that takes long.
 * Rejects with one message that names the ways out.
 */
export async function findKubeBinaries(progress: (line: string) => void): Promise<KubeBinaries> {
  const cached = join(cacheFolder, `kubernetes-${kubernetesVersion}`);
  const found = await look(cached);
  if (found !== undefined) return found;
  await mkdir(cacheFolder, { recursive: true });
  await using _lock = await lockFile(`${cached}.lock`);
  return (await look(cached)) ?? (await fetchInto(cached, progress));
}

/** What is in the cache was tried when it came there. */
async function look(cached: string): Promise<KubeBinaries | undefined> {
  const etcd = (await findOnPath("etcd", oldestEtcd)) ?? join(cached, "etcd");
  const apiserver = (await findOnPath("kube-apiserver", oldestKubernetes)) ?? join(cached, "kube-apiserver");
  return existsSync(etcd) && existsSync(apiserver) ? { etcd, apiserver } : undefined;
}

async function findOnPath(name: string, oldest: readonly [number, number]): Promise<string | undefined> {
  for (const program of (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, name))) {
    if (!existsSync(program)) continue;
    const [major = 0, minor = 0] = (await versionOf(program)) ?? [];
    if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return program;
  }
  return undefined;
}

/** Undefined if it does not run here. */
async function versionOf(program: string): Promise<number[] | undefined> {
  const output = await execute(program, ["--version"]).catch(() => undefined);
  return /(\d+)\.(\d+)\.\d+/
    .exec(output?.stdout ?? "")
    ?.slice(1)
    .map(Number);
}

async function fetchInto(cached: string, progress: (line: string) => void): Promise<KubeBinaries> {
  const failures: string[] = [];
  const beside = `${cached}.new`;
  for (const { doing, make } of kubeSources) {
    progress(doing);
    try {
      await rm(beside, { recursive: true, force: true });
      await mkdir(beside);
      await make(beside);
      for (const name of ["etcd", "kube-apiserver"]) {
        if ((await versionOf(join(beside, name))) === undefined) throw new Error(`${name} does not run here`);
      }
      await rm(cached, { recursive: true, force: true });
      await rename(beside, cached);
      const found = await look(cached);
      if (found !== undefined) return found;
    } catch (error) {
      const why = (error instanceof Error ? error.message : String(error)).trim().split("\n").at(-1) ?? "";
      failures.push(`${doing}: ${why}`);
    } finally {
      removeFolder(beside);
    }
  }
  throw new Error(
    [
      "etcd 3.6 and kube-apiserver 1.34, or newer, are needed for the operator's tests.",
      "Put them on PATH, or install Go, and they are built for you.",
      ...failures.map((failure) => `tried: ${failure}`),
    ].join("\n"),
  );
}
