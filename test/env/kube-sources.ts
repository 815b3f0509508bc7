// Where Kubernetes' programs come from when the machine has none: official archives, or Go modules.
// Each way puts its programs into a folder, and throws when it cannot be gone here.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { arch, platform } from "node:process";
import { promisify } from "node:util";
import { removeFolder } from "#local/server-process.ts";

export type KubeSource = {
  /** What is being done, for the progress line. */
  doing: string;
  /** Makes the programs in `folder`; `progress` gets a line for each step that takes minutes. */
  make(folder: string, progress: (line: string) => void): Promise<void>;
};

const execute = promisify(execFile);
const etcdVersion = "3.6.8";
export const kubernetesVersion = "1.36.3";
// The k8s.io modules that Kubernetes is made of count 0.36.3 where it counts 1.36.3.
const stagingVersion = `v0${kubernetesVersion.slice(1)}`;
const archiveVersion = "1.36.2";
const connectMs = 3_000;
const downloadMs = 300_000;
const buildMs = 3_600_000;

// SHA-512 of the archives, as controller-tools publishes them in envtest-releases.yaml; with etcd 3.6.8.
const archiveSums: Record<string, string> = {
  "darwin-arm64": "knj55a9Vay8fLROXacHw1xfHtEJpF/3r26iYvLclqRbkkQ1hYIhhlP+b6Viep8XDLCuK4HVHA4dLfIuo3fxBzg==",
  "linux-amd64": "6nQxhsinmfXPj68Wlp+GGJ0APLfRMOCsS1h4nx5XSNzzDr6RyDehDVrEFTg9o+ELnmTWV4XJOMI+c5eBz7dvCA==",
  "linux-arm64": "LXLumFqOJio8V9yffw/Ykfaox79+uqLbbcbY6siuKBga/lHB82i2d1bNtAsQ3psgVgnhcm5fJ/fG2CTdnGZJrA==",
};

/** In the order they are tried. */
export const kubeSources: readonly KubeSource[] = [
  { doing: `downloading kube-apiserver ${archiveVersion} and etcd (official test archive)`, make: downloadArchive },
  {
    doing: `building etcd and kube-apiserver ${kubernetesVersion} with Go, once, about five minutes`,
    make: buildWithGo,
  },
];

async function downloadArchive(folder: string): Promise<void> {
  const system = `${platform}-${arch === "x64" ? "amd64" : arch}`;
  const sum = archiveSums[system];
  if (sum === undefined) throw new Error(`no checksum is known for ${system}`);
  const name = `envtest-v${archiveVersion}`;
  const url = `https://github.com/kubernetes-sigs/controller-tools/releases/download/${name}/${name}-${system}.tar.gz`;
  const members = ["etcd", "kube-apiserver"].map((program) => `controller-tools/envtest/${program}`);
  await unpack({ url, sum, folder, members });
}

type Download = {
  /** Of a .tar.gz. */
  url: string;
  /** SHA-512, base64. */
  sum: string;
  /** Where the members go, without their folders. */
  folder: string;
  /** All in one folder of the archive. */
  members: readonly string[];
};

/** Rejects if the internet is closed, or if the archive is not the one of that sum. */
export async function unpack({ url, sum, folder, members }: Download): Promise<void> {
  await canConnect(new URL(url).hostname);
  const response = await fetch(url, { signal: AbortSignal.timeout(downloadMs) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const archive = Buffer.from(await response.arrayBuffer());
  const actual = createHash("sha512").update(archive).digest("base64");
  if (actual !== sum) throw new Error(`${url} has SHA-512 ${actual}, expected ${sum}`);
  const file = join(folder, "archive.tar.gz");
  await writeFile(file, archive);
  const depth = (members[0] ?? "").split("/").length - 1;
  await execute("tar", ["-xzf", file, "-C", folder, `--strip-components=${depth}`, ...members]);
  removeFolder(file);
}

/** Fails at once where the internet is closed, instead of waiting for a download to time out. */
function canConnect(host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: 443, timeout: connectMs });
    socket.once("connect", () => {
      socket.destroy();
      resolve();
    });
    socket.once("timeout", () => socket.destroy(new Error(`${host} does not answer`)));
    socket.once("error", reject);
  });
}

async function buildWithGo(folder: string): Promise<void> {
  await inModule("etcd", async (go) => {
    await go("mod", "edit", `-require=go.etcd.io/etcd/server/v3@v${etcdVersion}`);
    await go("build", ...buildFlags("-s -w"), "-o", join(folder, "etcd"), "go.etcd.io/etcd/server/v3");
  });
  await buildKubernetes(folder, ["kube-apiserver"], () => undefined);
}

/** Builds commands of k8s.io/kubernetes, such as `kubelet`, one after the other. */
export async function buildKubernetes(
  folder: string,
  programs: readonly string[],
  progress: (line: string) => void,
): Promise<void> {
  await inModule("kubernetes", async (go) => {
    const kubernetes = `k8s.io/kubernetes@v${kubernetesVersion}`;
    await go("mod", "edit", `-require=${kubernetes}`);
    await go("mod", "edit", ...stagingReplacements(await go("mod", "download", "-json", kubernetes)));
    const version = `-X k8s.io/component-base/version.gitVersion=v${kubernetesVersion}`;
    for (const program of programs) {
      progress(`building ${program} ${kubernetesVersion}`);
      const target = join(folder, program);
      await go("build", ...buildFlags(`-s -w ${version}`), "-o", target, `k8s.io/kubernetes/cmd/${program}`);
    }
  });
}

/** Kubernetes' go.mod points k8s.io/api and its like to folders of its repository; outside of it they are modules. */
function stagingReplacements(download: string): string[] {
  const goMod = /"GoMod": "(.*)"/.exec(download)?.[1];
  if (goMod === undefined) throw new Error("go mod download tells no go.mod of k8s.io/kubernetes");
  const modules = readFileSync(goMod, "utf8").matchAll(/^\s*(k8s\.io\/[\w-]+) => \.\/staging/gm);
  return Array.from(modules, ([, name]) => `-replace=${name}=${name}@${stagingVersion}`);
}

export function buildFlags(linker: string): string[] {
  return ["-mod=mod", "-trimpath", "-ldflags", linker];
}

type Go = (...args: string[]) => Promise<string>;

/** A module of our own that requires theirs: their replace lines forbid `go install`. Runs with low priority. */
export async function inModule(name: string, task: (go: Go) => Promise<void>): Promise<void> {
  const standard = "/usr/local/go/bin/go";
  const program = existsSync(standard) ? standard : "go";
  const cwd = await mkdtemp(join(tmpdir(), `heliograph-${name}-`));
  const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false" };
  const options = { cwd, env, timeout: buildMs, maxBuffer: 2 ** 26 };
  const go: Go = async (...args) => (await execute("nice", ["-n", "19", program, ...args], options)).stdout;
  try {
    await go("mod", "init", `heliograph.dev/test/${name}`);
    await task(go);
  } finally {
    removeFolder(cwd);
  }
}
