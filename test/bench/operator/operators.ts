// The operator under measurement, as a user starts it: with the rights that it needs and no others, from a kubeconfig.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { whatsAppNumbers } from "#operator/kinds.ts";
import { defaultClassSpec } from "#operator/number/class.ts";
import { podOf } from "#operator/number/pod.ts";
import { clusterRules, leaseRules, namespacedRules } from "#operator/rbac.ts";
import { apiVersionOf } from "#operator/runtime/objects.ts";
import { kubeconfigFor } from "#test/env/kube.ts";
import { makeUser } from "#test/env/kube-objects.ts";
import { type NodeProcess, root, startNode, startProgram } from "./node-process.ts";
import type { World } from "./world.ts";

/** Starts one more copy; resolves when it is up, which is before it leads. */
export type StartOperator = () => Promise<NodeProcess>;

const image = "heliograph:bench";

/** Ours. `nodeArgs` are Node's own, such as those of its profiler. */
export async function prepareOperator(world: World, nodeArgs: string[] = []): Promise<StartOperator> {
  const { namespace, folder, addresses } = world;
  const rules = [...clusterRules, ...namespacedRules, ...leaseRules];
  const env = {
    ...addresses,
    KUBECONFIG: await writeKubeconfig(world, rules),
    LEASE_NAMESPACE: namespace,
    CONNECTION_IMAGE: image,
  };
  return () => startNode({ name: "operator", entry: "operator/main.ts", env, folder, nodeArgs });
}

/** The one that is compared with; built on first use, with what the Go module proxy has. */
export async function prepareGoOperator(world: World, progress: (line: string) => void): Promise<StartOperator> {
  const { namespace, folder } = world;
  const every = (...resources: string[]) => ({ resources, verbs: ["*"] });
  const kubeconfig = await writeKubeconfig(world, [
    {
      apiGroups: ["heliograph.dev"],
      ...every("whatsappnumbers", "whatsappnumbers/status", "whatsappnumbers/finalizers"),
    },
    { apiGroups: ["heliograph.dev"], ...every("whatsappbusinessaccounts", "connectionclasses") },
    { apiGroups: [""], ...every("pods", "events") },
    { apiGroups: ["coordination.k8s.io"], ...every("leases") },
    { apiGroups: ["events.k8s.io"], ...every("events") },
  ]);
  const template = join(folder, "pod.json");
  await writeFile(template, JSON.stringify(samplePod(namespace)));
  const command = await buildGoOperator(folder, progress);
  return () =>
    startProgram({
      name: "operator-go",
      command,
      args: [],
      env: { KUBECONFIG: kubeconfig, POD_TEMPLATE: template, LEASE_NAMESPACE: namespace },
      folder,
      readyPath: "/metrics",
      portEnv: (port) => ({ METRICS_ADDRESS: `127.0.0.1:${port}` }),
    });
}

async function writeKubeconfig(
  { kube, admin, namespace, folder }: World,
  rules: Parameters<typeof makeUser>[1]["clusterRules"],
): Promise<string> {
  const token = await makeUser(admin, { namespace, clusterRules: rules ?? [] });
  const path = join(folder, "operator.kubeconfig.json");
  await writeFile(path, kubeconfigFor(kube, token), { mode: 0o600 });
  return path;
}

/** A pod as our operator makes it, so that both write the same objects; the other puts names and ids in. */
function samplePod(namespace: string) {
  const number = {
    apiVersion: "heliograph.dev/v1alpha1" as const,
    kind: "WhatsAppNumber" as const,
    metadata: { name: "sample", namespace, uid: "sample", resourceVersion: "1" },
    spec: {
      accountRef: { name: "sample" },
      phoneNumberId: "1",
      phoneNumber: "+15550000000",
      desiredState: "Connected" as const,
      messagesPerSecond: 20,
      queueLimit: 100_000,
      messageTtlSeconds: 86_400,
      unknownPolicy: "Fail" as const,
      unknownTimeoutSeconds: 600,
      contentPolicy: "Store" as const,
      disruption: { policy: "Migrate" as const },
      deletionPolicy: "Retain" as const,
    },
  };
  const addresses = {
    MESSAGES_ADDRESS: "127.0.0.1:1",
    TEMPLATES_ADDRESS: "127.0.0.1:1",
    BILLING_ADDRESS: "127.0.0.1:1",
    QUALITY_ADDRESS: "127.0.0.1:1",
    NATS_URL: "nats://127.0.0.1:1",
  };
  const settings = { image, version: "dev", serviceAccountName: undefined, upstreamUrl: undefined, addresses };
  const input = { number, classSpec: defaultClassSpec, settings, tokenSecret: "sample", upstreamUrl: undefined };
  return {
    ...podOf(input, "sample", 1, []),
    apiVersion: apiVersionOf({ ...whatsAppNumbers, group: "", version: "v1" }),
  };
}

const execute = promisify(execFile);
const buildMs = 1_200_000;

async function buildGoOperator(folder: string, progress: (line: string) => void): Promise<string> {
  const standard = "/usr/local/go/bin/go";
  const go = existsSync(standard) ? standard : "go";
  const target = join(folder, "operator-go");
  progress("building the Go operator, minutes at its first time");
  const args = ["-n", "15", go, "build", "-trimpath", "-ldflags", "-s -w", "-o", target, "."];
  const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false -mod=readonly" };
  await execute("nice", args, { cwd: join(root, "test/bench/go-operator"), env, timeout: buildMs });
  return target;
}
