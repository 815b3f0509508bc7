// The data folder: where everything stands in it, and the lock that keeps a second runner out.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { identify, isAlive, type ProcessIdentity } from "./process-identity.ts";

export type DataFolder = ReturnType<typeof dataFolderAt>;

/** The paths in it. */
export function dataFolderAt(root: string) {
  return {
    root,
    lock: join(root, "lock"),
    runFile: join(root, "run.json"),
    postgres: join(root, "postgres"),
    nats: join(root, "nats"),
    secrets: join(root, "secrets"),
    logs: join(root, "logs"),
    cache: join(root, "cache"),
    /** `<process>.env` in it adds variables to that process. */
    env: join(root, "env"),
  };
}

/** A line for the person who started it. */
export class LockedError extends Error {
  override readonly name = "LockedError";
}

const identitySchema = z.object({ pid: z.number().int(), startTime: z.string(), command: z.string() });

/** Makes the folder and takes its lock; disposing gives it back. Throws LockedError while another runner lives. */
export function lockDataFolder({ root, lock }: DataFolder): Disposable {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const own = identify(process.pid);
  if (own === undefined) throw new Error("this process cannot be found in the process table");
  const mine = `${lock}.${process.pid}`;
  writeFileSync(mine, `${JSON.stringify(own)}\n`, { mode: 0o600 });
  try {
    while (!tryLink(mine, lock)) {
      const holder = readHolder(lock);
      if (holder !== undefined && isAlive(holder)) throw lockedBy(holder, root);
      clearStale(lock, root);
    }
  } finally {
    unlinkSync(mine);
  }
  return {
    [Symbol.dispose]() {
      if (readHolder(lock)?.pid === process.pid) rmSync(lock, { force: true });
    },
  };
}

function lockedBy({ pid }: ProcessIdentity, root: string): LockedError {
  return new LockedError(
    `heliograph runs already on ${root} (process ${pid}): stop that one, or choose another folder with --data`,
  );
}

/** Moves a dead runner's lock away in one step, so that of two starters only one does. */
function clearStale(lock: string, root: string): void {
  const moved = `${lock}.stale.${process.pid}`;
  try {
    renameSync(lock, moved);
  } catch {
    return;
  }
  const holder = readHolder(moved);
  const isTheirs = holder !== undefined && isAlive(holder);
  // Between our look and our move another starter had taken it: it gets it back.
  if (isTheirs) tryLink(moved, lock);
  unlinkSync(moved);
  if (isTheirs) throw lockedBy(holder, root);
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

function readHolder(path: string): ProcessIdentity | undefined {
  try {
    return identitySchema.safeParse(JSON.parse(readFileSync(path, "utf8"))).data;
  } catch {
    return undefined;
  }
}

/** Forgets everything but the cache: what `--fresh` asks for. */
export function clearData({ runFile, postgres, nats, secrets, logs }: DataFolder): void {
  for (const path of [
    runFile,
    postgres,
    `${postgres}.new`,
    `${postgres}.password`,
    `${postgres}.log`,
    nats,
    secrets,
    logs,
  ]) {
    rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }
}
