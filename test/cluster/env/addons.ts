// What a cluster has beside Kubernetes itself: DNS, and disks for claims that name no class.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Resource, Wish } from "#operator/runtime/objects.ts";
import { type KubeAccess, namespaces } from "../../env/kube-objects.ts";
import { until } from "../../until.ts";
import type { ClusterBinaries } from "./binaries.ts";
import { dnsServiceAddress, type NodePlace, outerAddress } from "./network.ts";
import { adminToken, type Pki } from "./pki.ts";
import type { Servers } from "./servers.ts";

const applyMs = 240_000;
const dnsPort = 5353;
const disks = 20;
const services: Resource = { group: "", version: "v1", kind: "Service", plural: "services", isNamespaced: true };
const volumes: Resource = {
  group: "",
  version: "v1",
  kind: "PersistentVolume",
  plural: "persistentvolumes",
  isNamespaced: false,
};
const endpointSlices: Resource = {
  group: "discovery.k8s.io",
  version: "v1",
  kind: "EndpointSlice",
  plural: "endpointslices",
  isNamespaced: true,
};
const storageClasses: Resource = {
  group: "storage.k8s.io",
  version: "v1",
  kind: "StorageClass",
  plural: "storageclasses",
  isNamespaced: false,
};

type DnsOptions = { folder: string; binaries: ClusterBinaries; pki: Pki; servers: Servers };

/** As kubeadm configures it, but that names outside of the cluster do not exist. */
export async function startDns({ folder, binaries, pki, servers }: DnsOptions, access: KubeAccess): Promise<void> {
  const kubeconfig = pki.writeKubeconfig("coredns", adminToken, "127.0.0.1");
  const corefile = join(folder, "Corefile");
  writeFileSync(
    corefile,
    `cluster.local:${dnsPort} in-addr.arpa:${dnsPort} ip6.arpa:${dnsPort} {
  bind ${outerAddress}
  errors
  kubernetes {
    kubeconfig ${kubeconfig} test
    pods insecure
    ttl 30
  }
  cache 30
  loadbalance
}
.:${dnsPort} {
  bind ${outerAddress}
  errors
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`,
  );
  await servers.start("coredns", [binaries.coredns, "-conf", corefile]);
  const metadata = { name: "kube-dns", namespace: "kube-system" };
  await until(() => access.client.get(namespaces, metadata.namespace), {
    timeoutMs: applyMs,
    message: "kube-system exists",
  });
  const portsTo = (key: string): unknown[] =>
    ["UDP", "TCP"].map((protocol) => ({ name: `dns-${protocol.toLowerCase()}`, protocol, port: 53, [key]: dnsPort }));
  await apply(access, services, {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: { clusterIP: dnsServiceAddress, ports: portsTo("targetPort") },
  });
  await apply(access, endpointSlices, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { ...metadata, labels: { "kubernetes.io/service-name": "kube-dns" } },
    addressType: "IPv4",
    ports: portsTo("port"),
    endpoints: [{ addresses: [outerAddress] }],
  });
}

/** Patiently: the API server has much to do while it starts. */
async function apply({ client }: KubeAccess, resource: Resource, wish: Wish): Promise<void> {
  await until(() => client.apply(resource, wish, { fieldManager: "cluster" }), {
    timeoutMs: applyMs,
    message: `${wish.kind} ${wish.metadata.name} is applied`,
  });
}

/** Disks that follow a pod to any node, as a cloud's do; each is used once. */
export async function makeDisks(folder: string, places: readonly NodePlace[], access: KubeAccess): Promise<void> {
  await apply(access, storageClasses, {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name: "standard", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
    provisioner: "kubernetes.io/no-provisioner",
    volumeBindingMode: "WaitForFirstConsumer",
  });
  const names = Array.from({ length: disks }, (_, index) => `disk-${index + 1}`);
  await Promise.all(names.map((name) => apply(access, volumes, diskOf(name, folder, places))));
}

/** Of kind `local`, which unlike `hostPath` is given to a pod's fsGroup. */
function diskOf(name: string, folder: string, places: readonly NodePlace[]): Wish {
  const path = join(folder, "disks", name);
  mkdirSync(path, { recursive: true });
  const values = places.map((place) => place.name);
  const onAnyNode = { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values }] };
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name },
    spec: {
      capacity: { storage: "100Gi" },
      accessModes: ["ReadWriteOnce"],
      persistentVolumeReclaimPolicy: "Retain",
      storageClassName: "standard",
      local: { path },
      nodeAffinity: { required: { nodeSelectorTerms: [onAnyNode] } },
    },
  };
}
