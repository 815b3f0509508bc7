// The programs of a whole cluster, in the order of the house: PATH, the cache, the official archive, a build with Go.
import { join } from "node:path";
import { arch } from "node:process";
import { findNatsServer } from "#local/nats.ts";
import { findKubeBinaries, type KubeBinaries, type ProgramSet, findPrograms } from "../../env/kube-binaries.ts";
import { buildFlags, buildKubernetes, inModule, kubernetesVersion, unpack } from "../../env/kube-sources.ts";

type NodePrograms = Record<"kube-controller-manager" | "kube-scheduler" | "kubelet" | "kube-proxy", string>;

export type ClusterBinaries = KubeBinaries & NodePrograms & { coredns: string; "nats-server": string };

const corednsVersion = "1.15.0";
const archiveVersion = "1.36.0";

// SHA-512 as Kubernetes' CHANGELOG-1.36.md tells them, in base64.
const archiveSums: Record<string, string> = {
  amd64: hexToBase64(
    "1c64da92575451c2c7ff97c79b772e603995f8e76da1371a6b0746aaa27b65dce81c4d734cbb50f40e71486a8e08df36f14e12974f97d4d29e41f23a172a6a25",
  ),
  arm64: hexToBase64(
    "7f95e451baedd9368a2fa637afa84c9ed1b958736540ca27a379e5e292e1a10c5d9a29539f833047574bf5d3b6f907f32dee5735acecc11aa4686f078108dcf8",
  ),
};

// A kubelet may be older than its API server, never newer.
const isNoNewer = ({ major, minor }: { major: number; minor: number }): boolean =>
  major === 1 && minor >= 34 && minor <= 36;

const nodePrograms: ProgramSet<keyof NodePrograms> = {
  programs: {
    "kube-controller-manager": isNoNewer,
    "kube-scheduler": isNoNewer,
    kubelet: isNoNewer,
    "kube-proxy": isNoNewer,
  },
  name: `kubernetes-nodes-${kubernetesVersion}`,
  sources: [
    { doing: `downloading Kubernetes ${archiveVersion} (official server archive, 400 MB)`, make: downloadServer },
    {
      doing: `building kubelet and its like ${kubernetesVersion} with Go, once, five to ten minutes`,
      make: (folder, progress) => buildKubernetes(folder, Object.keys(nodePrograms.programs), progress),
    },
  ],
  advice: "kubelet, kube-proxy, kube-scheduler and kube-controller-manager 1.34 to 1.36 on PATH, or Go, are needed",
};

const dns: ProgramSet<"coredns"> = {
  programs: { coredns: ({ major, minor }) => major === 1 && minor >= 11 },
  name: `coredns-${corednsVersion}`,
  sources: [{ doing: `building coredns ${corednsVersion} with Go, once, about four minutes`, make: buildCoredns }],
  advice: "coredns 1.11 or newer on PATH, or Go, is needed",
};

/** Rejects with what is missing and what was tried. */
export async function findClusterBinaries(progress: (line: string) => void): Promise<ClusterBinaries> {
  return {
    ...(await findKubeBinaries(progress)),
    ...(await findPrograms(nodePrograms, progress)),
    ...(await findPrograms(dns, progress)),
    "nats-server": await findNatsServer({ progress }),
  };
}

async function downloadServer(folder: string): Promise<void> {
  const system = arch === "x64" ? "amd64" : arch;
  const sum = archiveSums[system];
  if (sum === undefined) throw new Error(`no checksum is known for linux-${system}`);
  const url = `https://dl.k8s.io/v${archiveVersion}/kubernetes-server-linux-${system}.tar.gz`;
  const members = Object.keys(nodePrograms.programs).map((name) => `kubernetes/server/bin/${name}`);
  await unpack({ url, sum, folder, members });
}

async function buildCoredns(folder: string): Promise<void> {
  await inModule("coredns", async (go) => {
    await go("mod", "edit", `-require=github.com/coredns/coredns@v${corednsVersion}`);
    await go("build", ...buildFlags("-s -w"), "-o", join(folder, "coredns"), "github.com/coredns/coredns");
  });
}

function hexToBase64(hex: string): string {
  return Buffer.from(hex, "hex").toString("base64");
}
