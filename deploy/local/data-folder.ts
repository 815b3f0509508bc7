// The data folder: where everything stands in it, and the lock that keeps a second runner out.
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { identify, isAlive, type ProcessIdentity } from "./process-identity.ts";
import { readRunFile } from "./run-file.ts";

export type DataFolder = ReturnType<typeof dataFolderAt>;

/** The paths in it. */
export function dataFolderAt(root: string) {
  return {
    root,
    /** Says that the folder is ours: what is cleared or written in it is never somebody else's. */
    marker: join(root, "heliograph.json"),
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

/** The folder is not one to keep data in. A line for the person who started it. */
export class DataFolderError extends Error {
  override readonly name = "DataFolderError";
}

const layoutVersion = 1;
const markerSchema = z.object({ version: z.number().int() });

/** With its parents. Not by `recursive`: where the system answers ENOENT although the parent exists (/proc), Node 24 tries for ever. */
function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

/** Makes the folder, if there is none, and marks it as ours at its first use. */
function claim(folder: DataFolder): void {
  const { root, marker } = folder;
  makeFolder(root);
  if (existsSync(marker) && isOurs(folder)) return;
  // Variables for the processes may be laid there before the first start.
  const entries = readdirSync(root).filter((name) => join(root, name) !== folder.env);
  if (entries.length > 0 && !isOurs(folder)) {
    throw new DataFolderError(
      `${root} holds files that are not Heliograph's: choose an empty or a new folder with --data`,
    );
  }
  writeFileSync(marker, `${JSON.stringify({ version: layoutVersion })}\n`, { mode: 0o600 });
}

const unusable: Partial<Record<string, string>> = {
  EEXIST: "it is not a folder",
  ENOTDIR: "it is not a folder, or not in one",
  EACCES: "you may not write there",
  EPERM: "you may not write there",
  EROFS: "nothing can be written there",
  ENOSPC: "no space is left there",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "its links lead in a circle",
  ENOENT: "it cannot be made there",
};

/** The marker; or what only a runner leaves, because a folder may be older than the marker or its first start was cut off. */
function isOurs({ marker, lock, runFile, postgres, secrets }: DataFolder): boolean {
  if (markerSchema.safeParse(parseFile(marker)).success) return true;
  if (readHolder(lock) !== undefined || readRunFile(runFile) !== undefined) return true;
  return existsSync(join(postgres, "PG_VERSION")) && existsSync(join(secrets, "api-token"));
}

const identitySchema = z.object({ pid: z.number().int(), startTime: z.string(), command: z.string() });

/**
 * Makes the folder, marks it as ours and takes its lock; disposing gives it back. Throws LockedError while another runner lives,
 * and DataFolderError where the folder cannot be used or is somebody else's.
 */
export function lockDataFolder(folder: DataFolder): Disposable {
  try {
    claim(folder);
    return takeLock(folder);
  } catch (error) {
    const why = error instanceof Error && "code" in error ? unusable[String(error.code)] : undefined;
    if (why === undefined) throw error;
    const line = `${folder.root} cannot be the data folder: ${why}; choose another one with --data`;
    throw new DataFolderError(line, { cause: error });
  }
}

function takeLock({ root, lock }: DataFolder): Disposable {
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
  return identitySchema.safeParse(parseFile(path)).data;
}

function parseFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
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
