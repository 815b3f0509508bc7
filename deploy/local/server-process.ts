// A server program as a child of ours: started apart from our terminal, watched, ended in order. Shared by Postgres and NATS.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { sleep } from "#lib/lifecycle.ts";

type SpawnOptions = {
  command: string;
  args: readonly string[];
  /** Gets what the program prints; begun anew at each start. */
  logFile: string;
  env?: NodeJS.ProcessEnv;
  /** Told of the process at once. */
  onSpawn?: ((pid: number) => void) | undefined;
};

export type Exit = { code: number | null; signal: NodeJS.Signals | null };

export type ServerProcess = {
  pid: number;
  hasExited(): boolean;
  /** Resolves when the process is gone, whoever ended it. */
  exited: Promise<Exit>;
  /** Lets this process end before the program does. */
  unref(): void;
  /** The program's output so far. */
  output(): string;
  /** Sends the signals in turn, each after the one before had its time, and resolves when the process is gone. */
  stop(signals: readonly NodeJS.Signals[]): Promise<void>;
};

const stopStepMs = 5_000;
const leftoverMs = 2_000;

/** Rejects if the program cannot be started at all. Its own process group: Ctrl-C on our terminal is not for it. */
export async function spawnServer({ command, args, logFile, env, onSpawn }: SpawnOptions): Promise<ServerProcess> {
  mkdirSync(dirname(logFile), { recursive: true });
  const output = openSync(logFile, "w", 0o600);
  const child = spawn(command, [...args], {
    detached: true,
    stdio: ["ignore", output, output],
    ...(env !== undefined && { env }),
  });
  closeSync(output);
  const pid = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("spawn", () => resolve(child.pid ?? 0));
  });
  const exited = new Promise<Exit>((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  onSpawn?.(pid);
  const hasExited = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    pid,
    hasExited,
    exited,
    unref: () => child.unref(),
    output: () => readFileSync(logFile, "utf8"),
    async stop(signals) {
      for (const signal of [...signals, "SIGKILL" as const]) {
        if (hasExited()) return;
        child.kill(signal);
        await Promise.race([exited, pause(child)]);
      }
      await exited;
    },
  };
}

async function pause(child: ChildProcess): Promise<void> {
  const gone = new AbortController();
  child.once("exit", () => gone.abort());
  await sleep(stopStepMs, gone.signal);
}

/** A port that was free a moment ago. */
export function findFreePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, host, () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === "object" && address !== null) resolve(address.port);
        else reject(new Error(`no free port on ${host}`));
      });
    });
  });
}

/** Removes a folder that a server may just have left; a late file of its is tried again. */
export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/**
 * Ends a server that a killed runner left behind: the process named in the first line of `pidFile`, if its command line
 * still contains `mark` (a pid may belong to somebody else by now). Resolves when it is gone.
 */
export async function endLeftover(pidFile: string, mark: string): Promise<void> {
  const pid = existsSync(pidFile) ? Number.parseInt(readFileSync(pidFile, "utf8"), 10) : Number.NaN;
  for (const signal of ["SIGQUIT", "SIGKILL"] as const) {
    if (!Number.isInteger(pid) || !commandLine(pid).includes(mark)) return;
    process.kill(pid, signal);
    const giveUpAt = performance.now() + leftoverMs;
    while (performance.now() < giveUpAt && commandLine(pid).includes(mark)) await sleep(20);
  }
}

function commandLine(pid: number): string {
  return spawnSync("ps", ["-o", "args=", "-p", String(pid)], { encoding: "utf8" }).stdout ?? "";
}
