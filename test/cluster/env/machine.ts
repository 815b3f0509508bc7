// Whether this machine can hold a cluster, and the Debian packages that it takes.
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { checkHierarchies, readHierarchies } from "./cgroups.ts";
import { run } from "./command.ts";
import { cniFolder } from "./node.ts";

/** By package. */
const programs: Record<string, readonly string[]> = {
  containerd: ["containerd", "ctr"],
  runc: ["runc"],
  "containernetworking-plugins": [`${cniFolder}/ptp`, `${cniFolder}/host-local`, `${cniFolder}/portmap`],
  iptables: ["iptables", "iptables-save"],
  iproute2: ["ip"],
  conntrack: ["conntrack"],
  buildah: ["buildah"],
  openssl: ["openssl"],
  "util-linux": ["nsenter", "unshare", "setpriv"],
  mount: ["mount"],
  procps: ["ps"],
};

/** Installs packages that are missing. Rejects with one line that says why there can be no cluster here. */
export async function prepareMachine(progress: (line: string) => void): Promise<void> {
  const { platform, getuid } = process;
  if (platform !== "linux") throw new Error(`a cluster with nodes takes Linux, and this is ${platform}`);
  if (getuid?.() !== 0) throw new Error("a cluster with nodes takes root, for namespaces, mounts and control groups");
  const missing = missingPackages();
  if (missing.length > 0) await install(missing, progress);
  const stillMissing = missingPackages();
  if (stillMissing.length > 0) throw new Error(`a cluster with nodes takes ${stillMissing.join(", ")}`);
  checkGroups();
  await run("unshare", "--mount", "--net", "--pid", "--ipc", "--cgroup", "--fork", "--mount-proc", "true").catch(
    (error: unknown) => {
      throw new Error(`a cluster with nodes takes namespaces of its own: ${firstLine(error)}`);
    },
  );
}

function missingPackages(): string[] {
  return Object.entries(programs)
    .filter(([, names]) => !names.every(isThere))
    .map(([name]) => name);
}

function isThere(program: string): boolean {
  if (program.startsWith("/")) return existsSync(program);
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => existsSync(join(folder, program)));
}

async function install(packages: readonly string[], progress: (line: string) => void): Promise<void> {
  if (!isThere("apt-get"))
    throw new Error(`a cluster with nodes takes ${packages.join(", ")}, and there is no apt-get to install them`);
  progress(`installing ${packages.join(", ")} with apt`);
  const apt = "DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300";
  // Where systemd runs, a package would start its service: with its folder covered, it does not see systemd.
  const cover =
    "if [ -d /run/systemd/system ]; then mount -t tmpfs tmpfs /run/systemd/system && rmdir /run/systemd/system; fi";
  const script = `${cover}; ${apt} update && ${apt} install -y --no-install-recommends ${packages.join(" ")}`;
  await run("unshare", "--mount", "sh", "-c", script).catch((error: unknown) => {
    throw new Error(`apt-get could not install ${packages.join(", ")}: ${firstLine(error)}`);
  });
}

function checkGroups(): void {
  try {
    const hierarchies = readHierarchies();
    checkHierarchies(hierarchies);
    for (const { mountPoint } of hierarchies) {
      const probe = join(mountPoint, `heliograph-probe-${process.pid}`);
      mkdirSync(probe);
      rmdirSync(probe);
    }
  } catch (error) {
    throw new Error(`a cluster with nodes takes control groups of its own: ${firstLine(error)}`);
  }
}

function firstLine(error: unknown): string {
  const { stderr } = error as { stderr?: string };
  const message = error instanceof Error ? error.message : String(error);
  return (stderr?.trim() || message).trim().split("\n").at(-1) ?? "";
}
