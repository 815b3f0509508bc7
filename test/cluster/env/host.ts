// What a cluster could leave on the machine: everything that Kubernetes changes where nobody holds it back.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { listProcesses, readHierarchies } from "./cgroups.ts";
import { run } from "./command.ts";

/** Each with lines that can be compared. */
export type HostState = Record<
  "links" | "addresses" | "routes" | "rules" | "firewall" | "settings" | "groups" | "mounts" | "paths",
  string[]
>;

// Counters and dice, and what can be written only.
const restlessSettings =
  /^(fs\/(dentry-state|inode-nr|inode-state|file-nr|aio-nr|quota)|kernel\/(random|ns_last_pid|pty\/nr|sched_domain|hung_task_detect_count)|net\/netfilter\/nf_conntrack_count|vm\/(stat_refresh|nr_hugepages))/;

const paths = [
  "/run/netns",
  "/run/containerd",
  "/run/xtables.lock",
  "/run/flannel",
  "/etc/cni/net.d",
  "/opt/cni",
  "/opt/containerd",
  "/usr/libexec/kubernetes",
  "/var/lib/cni",
  "/var/lib/containerd",
  "/var/lib/kubelet",
  "/var/log/containers",
  "/var/log/pods",
];

export async function readHostState(): Promise<HostState> {
  return {
    links: await linesOf("ip", "-brief", "link"),
    addresses: await linesOf("ip", "-brief", "address"),
    routes: [...(await linesOf("ip", "route", "show", "table", "all")), ...(await linesOf("ip", "-6", "route"))],
    rules: [...(await linesOf("ip", "rule")), ...(await linesOf("ip", "-6", "rule"))],
    firewall: await readFirewall(),
    settings: readSettings("/proc/sys", ""),
    groups: readAbandonedGroups(),
    mounts: readFileSync("/proc/self/mountinfo", "utf8").trim().split("\n").toSorted(),
    paths: paths.filter((path) => existsSync(path)),
  };
}

async function linesOf(program: string, ...args: string[]): Promise<string[]> {
  return (await run(program, ...args)).trim().split("\n").toSorted();
}

/** Without counters and times. */
async function readFirewall(): Promise<string[]> {
  const names = ["iptables-save", "ip6tables-save", "iptables-legacy-save", "ip6tables-legacy-save"];
  const texts = await Promise.all(names.map((name) => run(name).catch(() => "")));
  return texts
    .flatMap((text) => text.split("\n"))
    .flatMap((line) => (line === "" || line.startsWith("#") ? [] : [line.replace(/ \[\d+:\d+\]$/, "")]));
}

function readSettings(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = join(folder, entry.name);
    if (entry.isDirectory()) return readSettings(root, name);
    if (restlessSettings.test(name)) return [];
    try {
      return [`${name} = ${readFileSync(join(root, name), "utf8").trim()}`];
    } catch {
      // May be written only.
      return [];
    }
  });
}

// What a cluster would make in a group that is not its own; other programs make and remove groups at any time.
const clusterGroup = /^(heliograph-cluster-|kubepods|node\d|k8s\.io|cri-containerd)/;

/** Those without a process. */
function readAbandonedGroups(): string[] {
  const hierarchies = readHierarchies();
  return hierarchies.flatMap(({ mountPoint }) =>
    readdirSync(mountPoint, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && clusterGroup.test(entry.name))
      .filter(({ name }) => listProcesses(name, hierarchies).length === 0)
      .map(({ name }) => join(mountPoint, name)),
  );
}
