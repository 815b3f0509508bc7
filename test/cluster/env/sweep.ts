// What clusters leave on the machine when even their keeper was killed: control groups and a folder, both named by its pid.
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "#local/nats.ts";
import { removeFolder } from "#local/server-process.ts";
import { keeperOf, listGroups, listProcesses, readHierarchies, removeGroup } from "./cgroups.ts";

const clusters = join(cacheFolder, "cluster");

/** Of the cluster that this keeper holds. */
export function clusterFolder(keeperPid: number): string {
  return join(clusters, String(keeperPid));
}

/** Removes what belongs to no living keeper. */
export async function sweep(): Promise<void> {
  const hierarchies = readHierarchies();
  for (const group of listGroups(hierarchies)) {
    if (isKeeper(keeperOf(group))) continue;
    for (const pid of listProcesses(group, hierarchies)) kill(pid);
    await removeGroup(group, hierarchies);
  }
  mkdirSync(clusters, { recursive: true });
  for (const name of readdirSync(clusters)) if (!isKeeper(Number(name))) removeFolder(join(clusters, name));
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone by itself.
  }
}

function isKeeper(pid = 0): boolean {
  const file = `/proc/${pid}/cmdline`;
  return existsSync(file) && readFileSync(file, "utf8").includes("keeper.ts");
}
