// What tests need in an API server before they begin: a namespace, a user with few rights, our CRDs.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Registry } from "prom-client";
import { parse } from "yaml";
import { type Client, createClient } from "#operator/runtime/client.ts";
import { parseKubeconfig } from "#operator/runtime/kubeconfig.ts";
import { createRuntimeMetrics, type RuntimeMetrics } from "#operator/runtime/metrics.ts";
import { isRecord, type Resource, type Wish } from "#operator/runtime/objects.ts";
import { createTransport, type Transport } from "#operator/runtime/transport.ts";
import { until } from "../until.ts";
import { nextId } from "./folder.ts";
import { type Kube, kubeconfigFor } from "./kube.ts";

export type KubeAccess = AsyncDisposable & { client: Client; transport: Transport; metrics: RuntimeMetrics };

type AccessOptions = {
  /** Of the administrator unless told. */
  token?: string;
  url?: string;
  /** Of a request that says nothing else; the transport's unless told. */
  timeoutMs?: number;
};

/** The runtime's own client with an end of its own. */
export function accessKube(kube: Kube, options: AccessOptions = {}): KubeAccess {
  const { token = kube.token, url = kube.url, timeoutMs } = options;
  const metrics = createRuntimeMetrics(new Registry());
  const stopping = new AbortController();
  const cluster = parseKubeconfig(kubeconfigFor({ url, ca: kube.ca }, token));
  const own = createTransport({ cluster, metrics, signal: stopping.signal });
  const patience = timeoutMs === undefined ? {} : { timeoutMs };
  const transport: Transport = {
    ...own,
    send: (request) => own.send({ ...patience, ...request }),
    open: (request) => own.open({ ...patience, ...request }),
  };
  return {
    client: createClient(transport),
    transport,
    metrics,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await transport[Symbol.asyncDispose]();
    },
  };
}

const core = { group: "", version: "v1" };
const rbac = { group: "rbac.authorization.k8s.io", version: "v1" };
export const namespaces: Resource = { ...core, kind: "Namespace", plural: "namespaces", isNamespaced: false };
export const configMaps: Resource = { ...core, kind: "ConfigMap", plural: "configmaps", isNamespaced: true };
export const pods: Resource = { ...core, kind: "Pod", plural: "pods", isNamespaced: true };
const serviceAccounts: Resource = { ...core, kind: "ServiceAccount", plural: "serviceaccounts", isNamespaced: true };
const roles: Resource = { ...rbac, kind: "Role", plural: "roles", isNamespaced: true };
const roleBindings: Resource = { ...rbac, kind: "RoleBinding", plural: "rolebindings", isNamespaced: true };
const clusterRoles: Resource = { ...rbac, kind: "ClusterRole", plural: "clusterroles", isNamespaced: false };
const clusterRoleBindings: Resource = {
  ...rbac,
  kind: "ClusterRoleBinding",
  plural: "clusterrolebindings",
  isNamespaced: false,
};
const crds: Resource = {
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  isNamespaced: false,
};

/** The name of a new namespace. It stays, with what is in it, until the server ends: nobody is there to collect it. */
export async function makeNamespace({ client }: KubeAccess, labels: Record<string, string> = {}): Promise<string> {
  const name = uniqueName("test");
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
  return name;
}

type Rule = { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] };

type User = {
  /** Where its service account lives. */
  namespace: string;
  /** In that namespace. */
  rules?: Rule[];
  clusterRules?: Rule[];
};

/** A token of a service account that may do just this. */
export async function makeUser({ client, transport }: KubeAccess, user: User): Promise<string> {
  const { namespace, rules = [], clusterRules = [] } = user;
  const name = uniqueName("user");
  const metadata = { name, namespace };
  await client.create(serviceAccounts, { apiVersion: "v1", kind: "ServiceAccount", metadata });
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const apiGroup = rbac.group;
  const subjects = [{ kind: "ServiceAccount", name, namespace }];
  if (rules.length > 0) {
    await client.create(roles, { apiVersion, kind: "Role", metadata, rules });
    const roleRef = { apiGroup, kind: "Role", name };
    await client.create(roleBindings, { apiVersion, kind: "RoleBinding", metadata, roleRef, subjects });
  }
  if (clusterRules.length > 0) {
    await client.create(clusterRoles, { apiVersion, kind: "ClusterRole", metadata: { name }, rules: clusterRules });
    const roleRef = { apiGroup, kind: "ClusterRole", name };
    const binding = { apiVersion, kind: "ClusterRoleBinding", metadata: { name }, roleRef, subjects };
    await client.create(clusterRoleBindings, binding);
  }
  const answer = await transport.send({
    method: "POST",
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 3_600 } },
  });
  const status = isRecord(answer) ? answer["status"] : undefined;
  if (!isRecord(status) || typeof status["token"] !== "string") throw new Error(`no token for ${name}`);
  return status["token"];
}

const crdFolder = fileURLToPath(new URL("../../charts/heliograph/files/crds/", import.meta.url));

/** Applies the CRDs of the chart, and resolves when their kinds are served. Any number of tests may do so at once. */
export async function installCrds(access: KubeAccess, folder = crdFolder): Promise<void> {
  const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
  await Promise.all(files.map((name) => installCrd(access, parse(readFileSync(`${folder}/${name}`, "utf8")))));
}

/** One CRD, as parsed from its YAML. Rejects with the server's words if it is refused. */
export async function installCrd({ client, transport }: KubeAccess, crd: CrdManifest): Promise<void> {
  await client.apply(crds, crd, { fieldManager: "test" });
  const { group, versions, names } = crd.spec;
  const paths = versions.map(({ name }) => `/apis/${group}/${name}/${names.plural}?limit=1`);
  await until(() => Promise.all(paths.map((path) => transport.send({ method: "GET", path }))), {
    timeoutMs: 30_000,
    message: `${names.plural}.${group} served`,
  });
}

export type CrdManifest = Wish & {
  spec: { group: string; versions: { name: string }[]; names: { plural: string } };
};

/** Unlike any other of the run. */
function uniqueName(prefix: string): string {
  return `${prefix}-${process.pid}-${nextId()}`;
}
