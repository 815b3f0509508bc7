// Inside the cluster's mount namespace: what Kubernetes writes outside of its own folders goes into memory that ends with the
// namespace, and the settings of the whole machine that a kubelet wants to change look as if they were set already.
import { existsSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "./command.ts";
import { handOnControllers, type Hierarchy, isUnified, makeFolder } from "./cgroups.ts";

// What a kubelet writes into /proc/sys unless it is there. None of them belongs to a namespace.
const kernelSettings = {
  "vm/overcommit_memory": 1,
  "vm/panic_on_oom": 0,
  "kernel/panic": 10,
  "kernel/panic_on_oops": 1,
  "kernel/keys/root_maxkeys": 1_000_000,
  "kernel/keys/root_maxbytes": 25_000_000,
};

type MountOptions = {
  folder: string;
  /** As they are outside. */
  hierarchies: readonly Hierarchy[];
  nameserver: string;
};

export async function isolateFiles({ folder, hierarchies, nameserver }: MountOptions): Promise<void> {
  const resolvConf = existsSync("/etc/resolv.conf") ? realpathSync("/etc/resolv.conf") : undefined;
  // Volumes are handed on from kubelet to containers; nothing is handed on to the machine, which unshare has seen to.
  await run("mount", "--make-rshared", "/");
  await run("mount", "-t", "tmpfs", "tmpfs", "/run");
  await coverVar(folder);
  await coverKernelSettings();
  if (resolvConf !== undefined) await coverFile(resolvConf, `nameserver ${nameserver}\n`);
  await mountHierarchies(hierarchies);
}

/** CNI, kubelet and containerd have places below /var that nobody can tell them to leave alone. */
async function coverVar(folder: string): Promise<void> {
  const [upper, work, kept] = ["upper", "work", "folder"].map((name) => join("/run/var", name));
  for (const each of [upper, work, kept]) mkdirSync(each ?? "", { recursive: true });
  await run("mount", "--bind", folder, kept ?? "");
  await run("mount", "-t", "overlay", "overlay", "-o", `lowerdir=/var,upperdir=${upper},workdir=${work}`, "/var");
  await run("mount", "--bind", kept ?? "", folder);
}

async function coverKernelSettings(): Promise<void> {
  for (const [name, value] of Object.entries(kernelSettings)) {
    const path = join("/proc/sys", name);
    if (existsSync(path)) await coverFile(path, `${value}\n`);
  }
}

async function coverFile(path: string, text: string): Promise<void> {
  const cover = join("/run/covers", path);
  mkdirSync(dirname(cover), { recursive: true });
  writeFileSync(cover, text);
  if (path.startsWith("/run/")) mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path)) writeFileSync(path, "");
  await run("mount", "--bind", cover, path);
}

/** Again, as the cgroup namespace shows them: the cluster's group is their root. */
async function mountHierarchies(hierarchies: readonly Hierarchy[]): Promise<void> {
  if (!isUnified(hierarchies)) await run("mount", "-t", "tmpfs", "tmpfs", "/sys/fs/cgroup");
  for (const { mountPoint, type, options } of hierarchies) {
    mkdirSync(mountPoint, { recursive: true });
    await run("mount", "-t", type, ...(options === "" ? [] : ["-o", options]), type, mountPoint);
  }
  const [root] = hierarchies;
  if (root !== undefined && isUnified(hierarchies)) handOnControllers(root.mountPoint);
}

/** A group for a node, in each hierarchy. */
export function makeNodeGroup(name: string, hierarchies: readonly Hierarchy[]): void {
  for (const { mountPoint } of hierarchies) makeFolder(join(mountPoint, name));
}
