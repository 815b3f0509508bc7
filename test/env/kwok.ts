// kwok plays the kubelets of nodes that are objects only: nodes become ready, pods that are bound to them run at once, and pods that
// are deleted are gone at once. No process runs for any of them.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "#local/nats.ts";
import { removeFolder, spawnServer } from "#local/server-process.ts";
import { privateFolder } from "./folder.ts";
import type { Kube } from "./kube.ts";
import { kwokStages } from "./kwok-stages.ts";
import { lockFile } from "./lock.ts";

export type Kwok = AsyncDisposable & {
  pid: number;
  /** Says what kwok said if it has ended. */
  check(): void;
};

const execute = promisify(execFile);
const version = "0.8.0";
const program = `sigs.k8s.io/kwok/cmd/kwok@v${version}`;
const buildMs = 1_200_000;

/**
 * From PATH, from the cache, else built into the cache with Go. Its releases come without checksums, so that none is downloaded.
 * Rejects with one message that names the ways out.
 */
async function findKwok(progress: (line: string) => void): Promise<string> {
  const cached = join(cacheFolder, `kwok-${version}`);
  const onPath = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "kwok"));
  const found = [...onPath, cached].find((candidate) => existsSync(candidate));
  if (found !== undefined) return found;
  await mkdir(cacheFolder, { recursive: true });
  await using _lock = await lockFile(`${cached}.lock`);
  if (existsSync(cached)) return cached;
  progress(`building kwok ${version} with Go, once, about two minutes`);
  try {
    await buildWithGo(cached);
  } catch (error) {
    const why = (error instanceof Error ? error.message : String(error)).trim().split("\n").at(-1) ?? "";
    throw new Error(`kwok is needed: put it on PATH, or install Go and let it reach its module proxy (${why})`, {
      cause: error,
    });
  }
  return cached;
}

async function buildWithGo(target: string): Promise<void> {
  const standard = "/usr/local/go/bin/go";
  const go = existsSync(standard) ? standard : "go";
  const folder = await mkdtemp(join(tmpdir(), "heliograph-kwok-"));
  try {
    const env = { ...process.env, GOBIN: folder, CGO_ENABLED: "0" };
    await execute("nice", ["-n", "15", go, "install", program], { env, timeout: buildMs });
    // Under its name only when it is whole.
    await copyFile(join(folder, "kwok"), `${target}.new`);
    await chmod(`${target}.new`, 0o755);
    await rename(`${target}.new`, target);
  } finally {
    removeFolder(folder);
  }
}

/** In charge of all nodes of the server. */
export async function startKwok(kube: Kube, progress: (line: string) => void): Promise<Kwok> {
  const command = await findKwok(progress);
  const folder = privateFolder("kwok");
  const kubeconfig = join(folder, "kubeconfig.json");
  await writeFile(kubeconfig, kube.kubeconfig, { mode: 0o600 });
  const stages = join(folder, "stages.yaml");
  await writeFile(stages, kwokStages());
  const args = [
    `--kubeconfig=${kubeconfig}`,
    `--config=${stages}`,
    "--manage-all-nodes=true",
    "--cidr=10.64.0.1/16",
    "--node-port=0",
  ];
  // Else it reads the configuration of whoever starts it.
  const env = { ...process.env, KWOK_WORKDIR: folder };
  const server = await spawnServer({ command, args, env, logFile: join(folder, "kwok.log") });
  server.unref();
  await writeFile(join(folder, "kwok.pid"), String(server.pid));
  return {
    pid: server.pid,
    check() {
      const last = server.output().trim().split("\n").at(-1) ?? "";
      if (server.hasExited()) throw new Error(`kwok has ended: ${last}`);
    },
    async [Symbol.asyncDispose]() {
      await server.stop(["SIGTERM"]);
      removeFolder(folder);
    },
  };
}
