// A cluster of one's own with all five kinds at work: an API server that nobody else uses, a kubelet, the real services, a simulated
// WhatsApp, and the operator as a process, so that a crash of it is one.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findFreePort } from "#local/server-process.ts";
import { privateFolder } from "#test/env/folder.ts";
import { kubeconfigFor, startKube } from "#test/env/kube.ts";
import { accessKube, installCrds, type KubeAccess, makeNamespace, makeUser } from "#test/env/kube-objects.ts";
import { startKubelet } from "#test/env/kubelet.ts";
import { startSystemServices, type SystemServices } from "#test/env/system-services.ts";
import { startWebhooksService, type WebhooksProcess } from "#test/env/webhooks-service.ts";
import { until } from "#test/until.ts";
import { connectionClasses } from "./kinds.ts";
import { clusterRules, leaseRules, namespacedRules } from "./rbac.ts";
import type { KubeObject, Resource, Wish } from "./runtime/objects.ts";

export type World = AsyncDisposable & {
  admin: KubeAccess;
  /** The administrator's, a file. */
  kubeconfig: string;
  /** Its pods run. */
  namespace: string;
  /** Its pods wait for a node for ever. */
  emptyNamespace: string;
  services: SystemServices;
  webhooks: WebhooksProcess;
  operator: OperatorProcess;
  /** As kubectl would with --server-side; into the namespace unless the manifest names one. */
  apply(manifest: Wish): Promise<KubeObject>;
};

export type OperatorProcess = {
  /** Lines of JSON. */
  log(): string[];
  /** Sum of a counter over all labels that are not asked for. */
  metric(name: string, labels?: Record<string, string>): Promise<number>;
  /** Fails if it has ended. */
  assertAlive(): void;
  /** Its exit code after SIGTERM. */
  stop(): Promise<number | null>;
};

/** Nothing here waits for a lease to run out, and a slow machine must not let one. */
const patient = { LEASE_MS: "120000", STOP_AFTER_MS: "90000", RENEW_EVERY_MS: "5000" };
const main = fileURLToPath(new URL("main.ts", import.meta.url));

export async function openWorld(): Promise<World> {
  await using opened = new AsyncDisposableStack();
  const kube = opened.use(await startKube());
  const admin = opened.use(accessKube(kube));
  await installCrds(admin);
  const restricted = { "pod-security.kubernetes.io/enforce": "restricted" };
  const namespace = await makeNamespace(admin, restricted);
  const emptyNamespace = await makeNamespace(admin, restricted);
  const services = opened.use(await startSystemServices({ lease: patient }));
  const webhooks = opened.use(await startWebhooksService(services.natsUrl));
  opened.use(await startKubelet({ admin, namespace }));
  const folder = privateFolder("world");
  const kubeconfig = join(folder, "admin");
  writeFileSync(kubeconfig, kube.kubeconfig);
  // Just the operator's rights, over all namespaces.
  const token = await makeUser(admin, {
    namespace,
    rules: leaseRules,
    clusterRules: [...namespacedRules, ...clusterRules],
  });
  const operatorConfig = join(folder, "operator");
  writeFileSync(operatorConfig, kubeconfigFor(kube, token));
  const operator = await startOperatorProcess(operatorConfig, {
    MESSAGES_ADDRESS: services.messages,
    TEMPLATES_ADDRESS: services.templates,
    BILLING_ADDRESS: services.billing,
    QUALITY_ADDRESS: services.quality,
    WEBHOOKS_ADDRESS: webhooks.address,
    NATS_URL: services.natsUrl,
    UPSTREAM_URL: services.simulator,
    CONNECTION_IMAGE: "heliograph:test",
    LEASE_NAMESPACE: namespace,
    LEASE_SECONDS: "120",
    RENEW_DEADLINE_MS: "100000",
  });
  opened.use(operator);
  const running = opened.move();
  return {
    admin,
    kubeconfig,
    namespace,
    emptyNamespace,
    services,
    webhooks,
    operator,
    apply(manifest) {
      const isClusterWide = manifest.kind === connectionClasses.kind;
      const metadata = isClusterWide ? manifest.metadata : { namespace, ...manifest.metadata };
      return admin.client.apply(resourceOf(manifest), { ...manifest, metadata }, { fieldManager: "test" });
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Of the kinds that files of ours have. */
export function resourceOf({ apiVersion, kind }: Pick<Wish, "apiVersion" | "kind">): Resource {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  const plural = `${kind.toLowerCase()}${kind.endsWith("s") ? "es" : "s"}`;
  return { group: group ?? "", version: version ?? "", kind, plural, isNamespaced: kind !== connectionClasses.kind };
}

async function startOperatorProcess(
  kubeconfig: string,
  env: Record<string, string>,
): Promise<OperatorProcess & AsyncDisposable> {
  const port = await findFreePort("127.0.0.1");
  const child = spawn(process.execPath, [main, "--kubeconfig", kubeconfig], {
    env: { ...env, HTTP_PORT: String(port), LOG_LEVEL: "info" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (output += data.toString()));
  const url = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${url}/readyz`)).ok, { timeoutMs: 240_000, message: "the operator is ready" });
  return {
    log: () => output.split("\n"),
    async metric(name, labels = {}) {
      const text = await (await fetch(`${url}/metrics`)).text();
      const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
      const lines = text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
      const found = lines.filter((line) => wanted.every((label) => line.includes(label)));
      return found.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
    },
    assertAlive: () => assert.equal(child.exitCode ?? child.signalCode, null, output.slice(-4_000)),
    stop: () => end(child, "SIGTERM"),
    async [Symbol.asyncDispose]() {
      await end(child, "SIGKILL");
    },
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
  return child.exitCode;
}
