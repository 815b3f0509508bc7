// etcd, API server, controller manager and scheduler, with the flags that kubeadm would give them where they matter.
import { join } from "node:path";
import type { ClusterBinaries } from "./binaries.ts";
import { outerAddress, podRange, serviceRange } from "./network.ts";
import { adminToken, type Pki } from "./pki.ts";
import type { Servers } from "./servers.ts";

type ControlPlane = { folder: string; binaries: ClusterBinaries; pki: Pki; servers: Servers };

const etcdUrl = "http://127.0.0.1:2379";

export async function startEtcd({ folder, binaries, servers }: Omit<ControlPlane, "pki">): Promise<void> {
  await servers.start("etcd", [binaries.etcd], {
    "data-dir": join(folder, "etcd"),
    "listen-client-urls": etcdUrl,
    "advertise-client-urls": etcdUrl,
    "listen-peer-urls": "http://127.0.0.1:2380",
    "log-level": "warn",
    "unsafe-no-fsync": "true",
  });
}

export async function startApiserver({ binaries, pki, servers }: ControlPlane): Promise<void> {
  await servers.start("kube-apiserver", [binaries["kube-apiserver"]], {
    "etcd-servers": etcdUrl,
    "service-cluster-ip-range": serviceRange,
    "secure-port": "6443",
    "advertise-address": outerAddress,
    "tls-cert-file": pki.path("api.crt"),
    "tls-private-key-file": pki.path("api.key"),
    "client-ca-file": pki.path("ca.crt"),
    "token-auth-file": pki.path("tokens.csv"),
    "authorization-mode": "Node,RBAC",
    "enable-admission-plugins": "NodeRestriction",
    "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
    "service-account-key-file": pki.path("sa.key"),
    "service-account-signing-key-file": pki.path("sa.key"),
    // Without these two, exec and logs fail.
    "kubelet-client-certificate": pki.path("kubelet-client.crt"),
    "kubelet-client-key": pki.path("kubelet-client.key"),
    "kubelet-preferred-address-types": "InternalIP",
    "allow-privileged": "true",
    profiling: "false",
  });
}

/** `nodeGraceSeconds`: how long a node may be silent before it counts as lost. */
export async function startControllers(
  { binaries, pki, servers }: ControlPlane,
  nodeGraceSeconds: number,
): Promise<void> {
  const kubeconfig = pki.writeKubeconfig("controllers", adminToken, "127.0.0.1");
  await servers.start("kube-controller-manager", [binaries["kube-controller-manager"]], {
    kubeconfig,
    "service-account-private-key-file": pki.path("sa.key"),
    "root-ca-file": pki.path("ca.crt"),
    "cluster-signing-cert-file": pki.path("ca.crt"),
    "cluster-signing-key-file": pki.path("ca.key"),
    "use-service-account-credentials": "true",
    "cluster-cidr": podRange,
    "leader-elect": "false",
    "node-monitor-grace-period": `${nodeGraceSeconds}s`,
    profiling: "false",
  });
  await servers.start("kube-scheduler", [binaries["kube-scheduler"]], {
    kubeconfig,
    "leader-elect": "false",
    profiling: "false",
  });
}
