// The bundle as tests run it: made once in a test run, outside of the repository, and started as the image starts it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { runFolder } from "#test/env/folder.ts";
import { lockFile } from "#test/env/lock.ts";
import { type Bundle, makeBundle } from "./bundle.ts";
import { root } from "./sources.ts";

/** One for all tests of the run, made by the first that asks. */
export async function sharedBundle(): Promise<Bundle> {
  const folder = join(runFolder(), "bundle");
  const bundle = { app: join(folder, "app"), maps: join(folder, "maps"), sbom: join(folder, "sbom.cdx.json") };
  const isMade = (): boolean => existsSync(join(bundle.app, "THIRD-PARTY-LICENSES"));
  if (isMade()) return bundle;
  await using _lock = await lockFile(`${folder}.lock`);
  if (!isMade()) await makeBundle(folder);
  return bundle;
}

/** The Dockerfile's ENTRYPOINT with this Node and the program of `app`. */
export async function entrypointOf(app: string): Promise<{ command: string; args: string[] }> {
  const dockerfile = await readFile(join(root, "deploy/image/Dockerfile"), "utf8");
  const [, line = ""] = /^ENTRYPOINT (\[.*\])$/m.exec(dockerfile) ?? [];
  return asProcess(z.array(z.string()).parse(JSON.parse(line)), app);
}

/** A command of the image, on this machine. */
export function asProcess(words: readonly string[], app: string): { command: string; args: string[] } {
  const [program, ...args] = words.map((word) =>
    word === "node" ? process.execPath : word.replace(/^\/app\//, `${app}/`),
  );
  return { command: program ?? "", args };
}

export type Ended = { code: number | null; signal: NodeJS.Signals | null };

export type Spawned = AsyncDisposable & {
  pid: number;
  /** Both outputs. */
  output(): string;
  ended(): Ended | undefined;
  stop(): Promise<Ended>;
  exit: Promise<Ended>;
};

/** With just this environment. Disposing kills it. */
export function spawnProcess(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  cwd?: string,
): Spawned {
  const child = spawn(command, [...args], { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (part: string) => (text += part));
  const exit = once(child, "close").then(([code, signal]: unknown[]) => {
    return { code: code as number | null, signal: signal as NodeJS.Signals | null };
  });
  const ended = (): Ended | undefined =>
    child.exitCode === null && child.signalCode === null
      ? undefined
      : { code: child.exitCode, signal: child.signalCode };
  return {
    pid: child.pid ?? 0,
    output: () => text,
    ended,
    exit,
    stop() {
      child.kill("SIGTERM");
      return exit;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exit;
    },
  };
}
