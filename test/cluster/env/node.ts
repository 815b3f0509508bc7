// One node: containerd, kubelet and kube-proxy in its network namespace, below its own control group.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { until } from "../../until.ts";
import type { ClusterBinaries } from "./binaries.ts";
import type { Hierarchy } from "./cgroups.ts";
import { run } from "./command.ts";
import { makeNodeGroup } from "./mounts.ts";
import { dnsServiceAddress, type NodePlace, outerAddress, podRange } from "./network.ts";
import { adminToken, type Pki, tokenOf } from "./pki.ts";
import type { Servers } from "./servers.ts";

export type NodeOptions = {
  folder: string;
  place: NodePlace;
  binaries: ClusterBinaries;
  hierarchies: readonly Hierarchy[];
  pki: Pki;
  servers: Servers;
};

export const pauseImage = "docker.io/heliograph/pause:test";
export const cniFolder = "/usr/lib/cni";
const socketMs = 60_000;

export function socketOf(folder: string, node: string): string {
  return join(folder, node, "containerd.sock");
}

/** Resolves when images can be loaded. */
export async function startContainerd({ folder, place, servers }: NodeOptions): Promise<void> {
  const own = join(folder, place.name);
  const socket = socketOf(folder, place.name);
  mkdirSync(join(own, "cni"), { recursive: true });
  writeFileSync(join(own, "cni", "10-pods.conflist"), JSON.stringify(cniConfig(own, place)));
  writeFileSync(join(own, "containerd.toml"), containerdConfig(own, socket));
  await servers.start(`${place.name}-containerd`, [
    ...enter(place),
    "containerd",
    "--config",
    join(own, "containerd.toml"),
  ]);
  await until(() => run("ctr", "--address", socket, "version"), {
    timeoutMs: socketMs,
    message: `containerd of ${place.name} answers`,
  });
}

function enter({ namespace }: NodePlace): string[] {
  // Not `ip netns exec`, which mounts a fresh /sys without control groups.
  return ["nsenter", `--net=${namespace}`];
}

/** Routed pod by pod, so that answers within a node pass its rules on their way back without a bridge's help. */
function cniConfig(own: string, place: NodePlace): unknown {
  const ipam = {
    type: "host-local",
    dataDir: join(own, "addresses"),
    ranges: [[{ subnet: place.podRange }]],
    routes: [{ dst: "0.0.0.0/0" }],
  };
  const plugins = [
    { type: "ptp", ipMasq: false, ipam },
    { type: "portmap", capabilities: { portMappings: true } },
  ];
  return { cniVersion: "1.0.0", name: "pods", plugins };
}

function containerdConfig(own: string, socket: string): string {
  // Without restrict_oom_score_adj, runc ends on machines that withhold CAP_SYS_RESOURCE.
  return `version = 2
root = "${own}/containerd"
state = "/run/${own.split("/").at(-1)}-containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${cniFolder}"
    conf_dir = "${own}/cni"
`;
}

/** The API server must answer by now. */
export async function startKubelet(options: NodeOptions): Promise<void> {
  const { folder, place, binaries, hierarchies, pki, servers } = options;
  const own = join(folder, place.name);
  makeNodeGroup(place.name, hierarchies);
  writeFileSync(join(own, "resolv.conf"), "");
  const config = kubeletConfig(own, socketOf(folder, place.name), place, pki);
  writeFileSync(join(own, "kubelet.yaml"), stringify(config));
  await servers.start(`${place.name}-kubelet`, [...enter(place), binaries.kubelet], {
    config: join(own, "kubelet.yaml"),
    kubeconfig: pki.writeKubeconfig(place.name, tokenOf(place.name), outerAddress),
    "root-dir": join(own, "kubelet"),
    "hostname-override": place.name,
    "node-ip": place.address,
  });
  await startProxy({ servers, binaries, pki, name: place.name, enter: enter(place) });
}

function kubeletConfig(own: string, socket: string, place: NodePlace, pki: Pki): unknown {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    failCgroupV1: false,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${place.name}`,
    containerRuntimeEndpoint: `unix://${socket}`,
    clusterDNS: [dnsServiceAddress],
    clusterDomain: "cluster.local",
    resolvConf: join(own, "resolv.conf"),
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pki.path("ca.crt") },
    },
    authorization: { mode: "Webhook" },
    failSwapOn: false,
    maxPods: 250,
    // The disk is that of the machine, and what fills it is none of ours.
    evictionHard: {
      "memory.available": "100Mi",
      "nodefs.available": "1%",
      "imagefs.available": "1%",
      "nodefs.inodesFree": "1%",
    },
    imageGCHighThresholdPercent: 100,
    podLogsDir: join(own, "logs"),
    volumePluginDir: join(own, "plugins"),
    registerNode: true,
    nodeStatusUpdateFrequency: "5s",
    shutdownGracePeriod: "0s",
  };
}

type ProxyOptions = { servers: Servers; binaries: ClusterBinaries; pki: Pki; name: string; enter?: readonly string[] };

/** Rules for Services, in the network namespace that `enter` leads to; those of conntrack's size belong to the machine. */
export async function startProxy({ servers, binaries, pki, name, enter: prefix = [] }: ProxyOptions): Promise<void> {
  await servers.start(`${name}-proxy`, [...prefix, binaries["kube-proxy"]], {
    kubeconfig: pki.writeKubeconfig(`${name}-proxy`, adminToken, outerAddress),
    "proxy-mode": "iptables",
    "cluster-cidr": podRange,
    "hostname-override": name,
    "conntrack-max-per-core": "0",
    "conntrack-tcp-timeout-established": "0s",
    "conntrack-tcp-timeout-close-wait": "0s",
    "healthz-bind-address": "127.0.0.1:10256",
    "metrics-bind-address": "127.0.0.1:10249",
  });
}
