// The control groups of a cluster: one group below the root of each hierarchy that the machine has mounted (version 1, 2 or both),
// with everything of the cluster below it. Processes end without them; groups do not, so somebody outside has to remove them.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "#lib/lifecycle.ts";

export type Hierarchy = {
  mountPoint: string;
  /** As mount(8) calls it. */
  type: "cgroup" | "cgroup2";
  /** What selects a hierarchy of version 1, as in `cpu,cpuacct` or `name=systemd`; empty for version 2. */
  options: string;
};

const prefix = "heliograph-cluster-";
const removeMs = 60_000;
const removePollMs = 50;
/** Of version 2, as far as the machine gives them to groups below its root. */
const wanted = ["cpuset", "cpu", "io", "memory", "pids", "hugetlb"];
const needed = ["cpu", "memory", "pids"];

export function groupName(keeperPid: number): string {
  return `${prefix}${keeperPid}`;
}

/** The pid of the keeper of that group; undefined if it is none of ours. */
export function keeperOf(group: string): number | undefined {
  const pid = Number(group.startsWith(prefix) ? group.slice(prefix.length) : Number.NaN);
  return Number.isInteger(pid) ? pid : undefined;
}

export function readHierarchies(mountInfo = readFileSync("/proc/self/mountinfo", "utf8")): Hierarchy[] {
  const hierarchies = new Map<string, Hierarchy>();
  for (const line of mountInfo.trim().split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const mountPoint = before.split(" ")[4] ?? "";
    const [type, , flags = ""] = after.split(" ");
    if (type !== "cgroup" && type !== "cgroup2") continue;
    const selectors = flags
      .split(",")
      .filter((flag) => !/^(rw|ro|xattr|noprefix|clone_children|nsdelegate|memory_|release_agent=)/.test(flag));
    const options = type === "cgroup" ? selectors.join(",") : "";
    const hierarchy = { mountPoint, type, options } satisfies Hierarchy;
    // Some machines mount one hierarchy in two places.
    if (!hierarchies.has(`${type} ${options}`)) hierarchies.set(`${type} ${options}`, hierarchy);
  }
  return [...hierarchies.values()];
}

/** Whether version 2 has the controllers, so that nodes live there. */
export function isUnified(hierarchies: readonly Hierarchy[]): boolean {
  return hierarchies.every(({ type }) => type === "cgroup2");
}

/** Throws with what is missing. */
export function checkHierarchies(hierarchies: readonly Hierarchy[]): void {
  if (hierarchies.length === 0) throw new Error("no cgroup hierarchy is mounted");
  const names = hierarchies.flatMap(({ options }) => options.split(","));
  const [root] = hierarchies;
  const given =
    root !== undefined && isUnified(hierarchies)
      ? readFileSync(join(root.mountPoint, "cgroup.subtree_control"), "utf8").trim().split(" ")
      : names;
  const missing = needed.filter((controller) => !given.includes(controller));
  if (missing.length > 0) throw new Error(`cgroups come without ${missing.join(", ")}`);
}

/** Makes the group, with a leaf `init` for what is no node, and returns its folders. */
export function makeGroup(name: string, hierarchies: readonly Hierarchy[]): string[] {
  return hierarchies.map(({ mountPoint }) => {
    const folder = join(mountPoint, name);
    makeFolder(folder);
    makeFolder(join(folder, "init"));
    return folder;
  });
}

/** Processes may enter a group of version 1's cpuset only when it has been given CPUs and memory. */
export function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    const own = join(folder, file);
    if (!existsSync(own) || existsSync(join(folder, "cgroup.controllers"))) continue;
    writeFileSync(own, readFileSync(join(folder, "..", file)));
  }
}

/** In version 2 a group hands controllers on only when told, and only when it has no process of its own. */
export function handOnControllers(folder: string): void {
  const given = readFileSync(join(folder, "cgroup.controllers"), "utf8").trim().split(" ");
  const handed = wanted.filter((controller) => given.includes(controller));
  for (const controller of handed) writeFileSync(join(folder, "cgroup.subtree_control"), `+${controller}`);
}

/** Groups of clusters, by name. */
export function listGroups(hierarchies: readonly Hierarchy[]): string[] {
  const names = hierarchies.flatMap(({ mountPoint }) => readdirSync(mountPoint));
  return [...new Set(names.filter((name) => keeperOf(name) !== undefined))];
}

/** All processes of the group, by the pids of whoever asks. */
export function listProcesses(name: string, hierarchies: readonly Hierarchy[]): number[] {
  const lists = hierarchies.flatMap(({ mountPoint }) => foldersOf(join(mountPoint, name)).map(processesOf));
  return [...new Set(lists.flat())];
}

/** Removes the group once its processes are gone. Rejects if they do not go. */
export async function removeGroup(name: string, hierarchies: readonly Hierarchy[]): Promise<void> {
  const giveUpAt = performance.now() + removeMs;
  for (const { mountPoint } of hierarchies) {
    while (!isRemoved(join(mountPoint, name))) {
      if (performance.now() > giveUpAt) throw new Error(`cgroup ${join(mountPoint, name)} is still in use`);
      await sleep(removePollMs);
    }
  }
}

function isRemoved(folder: string): boolean {
  try {
    for (const each of foldersOf(folder).toReversed()) rmdirSync(each);
  } catch {
    return false;
  }
  return !existsSync(folder);
}

/** The folder and those below it, parents first; none if it does not exist. */
function foldersOf(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [folder, ...below.flatMap(({ name }) => foldersOf(join(folder, name)))];
}

function processesOf(folder: string): number[] {
  try {
    return readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    // Removed meanwhile.
    return [];
  }
}
