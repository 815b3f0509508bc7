// A Node process of ours as a child: a process group of its own, so that Ctrl-C on the terminal is for the runner alone.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import type { Exit } from "./server-process.ts";

/** A program that runs: a service, Postgres or NATS. */
export type Running = {
  pid: number;
  exited: Promise<Exit>;
  /** Asks it to end in order. Need not resolve in time: whoever calls it keeps the time. */
  stop(): Promise<void>;
  /** What it said last before it ended, if that was meant for people. */
  lastWords?(): string | undefined;
};

type ChildOptions = {
  command: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  /** Gets both outputs, or only errors where `onOutput` is given. Appended to. */
  logFile: string;
  onOutput?: ((text: string) => void) | undefined;
};

/** Rejects if the program cannot be started at all. */
export async function spawnChild({ command, args, env, logFile, onOutput }: ChildOptions): Promise<Running> {
  const log = openSync(logFile, "a", 0o600);
  const logStart = fstatSync(log).size;
  const child = spawn(command, [...args], {
    detached: true,
    env,
    stdio: ["ignore", onOutput === undefined ? log : "pipe", log],
  });
  closeSync(log);
  if (onOutput !== undefined) forward(child.stdout, onOutput);
  const exited = new Promise<Exit>((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  return {
    pid: await pidOf(child),
    exited,
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
    lastWords: () => lastPlainLine(logFile, logStart),
  };
}

function forward(output: Readable | null, onOutput: (text: string) => void): void {
  output?.setEncoding("utf8");
  output?.on("data", onOutput);
}

function pidOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.once("spawn", () => resolve(child.pid ?? 0));
  });
}

/** Log lines are JSON; what lib/lifecycle.ts prints when a start fails, and Node when it crashes, is not. */
function lastPlainLine(logFile: string, from: number): string | undefined {
  const lines = readFileSync(logFile).subarray(from).toString("utf8").split("\n");
  const plain = lines.map((line) => line.trim()).filter((line) => line !== "" && !/^(\{"level|Node\.js v)/.test(line));
  return plain.findLast((line) => /^\w*Error\b.*:/.test(line)) ?? plain.at(-1);
}
