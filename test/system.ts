// The whole system as real processes, started by the local runner on ports and a data folder of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { until } from "#test/until.ts";

const root = new URL("..", import.meta.url).pathname;

const runFileSchema = z.object({
  gateway: z.string(),
  simulator: z.string(),
  receiver: z.string().nullable(),
  token: z.string(),
  appSecret: z.string(),
  numbers: z.array(
    z.object({ name: z.string(), phoneNumberId: z.string(), displayPhoneNumber: z.string(), wabaId: z.string() }),
  ),
  processes: z.array(z.object({ name: z.string(), pid: z.number(), http: z.string().nullable() })),
});

/** What the runner writes for scripts. */
export type RunFile = z.infer<typeof runFileSchema>;

export type SystemOptions = {
  /** Kept between starts where given; else a folder of its own, removed at the end. */
  dataDir?: string;
  numbersDir?: string;
  webhook?: string;
  portBase?: number;
  env?: Record<string, string>;
};

export type System = AsyncDisposable & {
  run: RunFile;
  dataDir: string;
  runner: ChildProcess;
  /** From spawn to ready. */
  startedInMs: number;
  /** Everything that the runner printed so far. */
  output(): string;
  /** The run file as it is now: a restarted process has another pid. */
  read(): Promise<RunFile>;
};

/** Starts and waits until the runner says that it is up. Throws with its output if it ends before. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "heliograph-system-")));
  const portBase = options.portBase ?? (await freePortBase());
  const args = ["deploy/local/main.ts", "--data", dataDir, "--port-base", String(portBase)];
  if (options.numbersDir !== undefined) args.push("--numbers", options.numbersDir);
  if (options.webhook !== undefined) args.push("--webhook", options.webhook);
  const startedAt = performance.now();
  const runner = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  runner.stdout.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
  runner.stderr.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
  const ended = (): boolean => runner.exitCode !== null || runner.signalCode !== null;
  const read = async (): Promise<RunFile> =>
    runFileSchema.parse(JSON.parse(await readFile(join(dataDir, "run.json"), "utf8")));
  const stop = async (): Promise<void> => {
    if (!ended()) runner.kill("SIGTERM");
    await until(ended, { timeoutMs: 15_000, message: `the runner did not stop:\n${text}` });
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  };
  try {
    await until(() => ended() || /\bup in \d/.test(text), {
      timeoutMs: 60_000,
      message: `the runner is not up:\n${text}`,
    });
    if (ended()) throw new Error(`the runner ended with ${runner.exitCode ?? runner.signalCode}:\n${text}`);
    const run = await read();
    return {
      run,
      dataDir,
      runner,
      startedInMs: performance.now() - startedAt,
      output: () => text,
      read,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Ports that the runner will take are counted from this one. */
const portSpan = 60;

/** A base below the ephemeral ports, whose first ports are free now; different for parallel test processes. */
export async function freePortBase(): Promise<number> {
  for (let step = 0; step < 100; step++) {
    const base = 10_000 + ((process.pid + step * 7) % 300) * portSpan;
    const free = await Promise.all(Array.from({ length: portSpan }, (_, index) => isFree(base + index)));
    if (free.every((one) => one)) return base;
  }
  throw new Error("no free range of ports between 10000 and 28000");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once("error", () => resolve(false))
      .listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
