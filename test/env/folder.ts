// One folder for each test run, named by its runner. A run that was killed leaves its servers; the next one ends them.
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "#local/nats.ts";
import { endLeftover, removeFolder } from "#local/server-process.ts";

const runs = join(cacheFolder, "test");
const variable = "HELIOGRAPH_TEST_FOLDER";

/** Makes the folder of this run and tells the test processes of it. */
export function makeRunFolder(): string {
  const folder = join(runs, String(process.pid));
  mkdirSync(folder, { recursive: true });
  process.env[variable] = folder;
  return folder;
}

/** The folder of this run, common to its test processes: servers started below it are ended with the run, at the latest. */
export function runFolder(): string {
  const folder = process.env[variable];
  if (folder === undefined)
    throw new Error("tests with servers run with --test-global-setup=test/env/global-setup.ts, as npm test does");
  return folder;
}

/** A new folder below the run's. */
export function privateFolder(name: string): string {
  const folder = join(runFolder(), `${name}-${process.pid}-${nextId()}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

let lastId = 0;

/** Unique within the process. */
export function nextId(): number {
  lastId += 1;
  return lastId;
}

/** Ends the servers of this folder and removes it. */
export async function clearRunFolder(folder: string): Promise<void> {
  for (const name of readdirSync(folder)) {
    for (const pidFile of [join(folder, name, "postmaster.pid"), join(folder, name, "data", "postmaster.pid")]) {
      await endLeftover(pidFile, folder);
    }
    for (const server of ["nats-server", "kube-apiserver", "etcd", "prometheus"]) {
      await endLeftover(join(folder, name, `${server}.pid`), folder);
    }
  }
  removeFolder(folder);
}

/** Clears the folders of runs whose runner is gone. */
export async function clearStaleRuns(): Promise<void> {
  mkdirSync(runs, { recursive: true });
  for (const name of readdirSync(runs)) {
    if (!isAlive(Number(name))) await clearRunFolder(join(runs, name));
  }
}

/** Whether a process of this id runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
