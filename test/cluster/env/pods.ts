// Pods of tests: made, waited for, read and entered through the API server, as kubectl does.
import { Agent, WebSocket } from "undici";
import { z } from "zod";
import { pods } from "#operator/kinds.ts";
import { hasStatus } from "#operator/runtime/api-error.ts";
import { type Key, type KubeObject, pathOf, type Resource, splitKey } from "#operator/runtime/objects.ts";
import { configMaps, type KubeAccess, namespaces } from "../../env/kube-objects.ts";
import { until } from "../../until.ts";
import type { Cluster } from "./cluster.ts";

const serviceAccounts: Resource = {
  group: "",
  version: "v1",
  kind: "ServiceAccount",
  plural: "serviceaccounts",
  isNamespaced: true,
};

const events: Resource = { group: "", version: "v1", kind: "Event", plural: "events", isNamespaced: true };

const podSchema = z.object({
  spec: z.object({ nodeName: z.string().optional() }),
  status: z.object({
    phase: z.string(),
    podIP: z.string().optional(),
    conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
    containerStatuses: z
      .array(z.object({ name: z.string(), containerID: z.string().optional(), restartCount: z.number() }))
      .default([]),
  }),
});

export type RunningPod = { name: string; node: string; address: string; containerId: string; restarts: number };

const podReadyMs = 240_000;
const execMs = 60_000;

/** Resolves when pods can be made in it. */
export async function makeClusterNamespace(
  { client }: KubeAccess,
  name: string,
  labels: Record<string, string> = {},
): Promise<void> {
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
  const isThere = async (): Promise<boolean> =>
    (await client.get(serviceAccounts, `${name}/default`)) !== undefined &&
    (await client.get(configMaps, `${name}/kube-root-ca.crt`)) !== undefined;
  await until(isThere, { timeoutMs: podReadyMs, message: `namespace ${name} has its default account` });
}

/** Undefined until the pod is ready. */
export function toRunningPod(object: KubeObject): RunningPod | undefined {
  const { spec, status } = podSchema.parse(object);
  const [container] = status.containerStatuses;
  const isReady = status.conditions.some(({ type, status: state }) => type === "Ready" && state === "True");
  if (!isReady || container?.containerID === undefined) return undefined;
  return {
    name: object.metadata.name,
    node: spec.nodeName ?? "",
    address: status.podIP ?? "",
    containerId: container.containerID,
    restarts: container.restartCount,
  };
}

/** Rejects with the status that it had last, and what Kubernetes tells of it. */
export async function waitForPod({ client }: KubeAccess, key: Key): Promise<RunningPod> {
  let last: unknown;
  try {
    return await until(
      async () => {
        const object = await client.get(pods, key);
        last = object?.["status"];
        return object !== undefined && toRunningPod(object);
      },
      { timeoutMs: podReadyMs, message: `pod ${key} is ready` },
    );
  } catch (error) {
    const told = await tellingsOf(client, key);
    throw new Error(`pod ${key} is not ready: ${JSON.stringify(last)}\n${told.join("\n")}`, { cause: error });
  }
}

async function tellingsOf(client: KubeAccess["client"], key: Key): Promise<string[]> {
  const { namespace, name } = splitKey(key);
  const { items } = await client.list(events, { namespace, fieldSelector: `involvedObject.name=${name}` });
  return items.map(({ reason, message }) => `${String(reason)}: ${String(message)}`);
}

/** What the pod has printed so far. */
export async function logsOf({ transport }: KubeAccess, key: Key, container?: string): Promise<string> {
  const path = pathOf(pods, { ...splitKey(key), subresource: "log" });
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of await transport.open({ method: "GET", path, query: { container } }))
    text += decoder.decode(chunk, { stream: true });
  return text;
}

export type Output = { stdout: string; stderr: string };

/** Runs a program in a pod's container to its end. Rejects if it fails, with what it said. */
export async function execIn(
  cluster: Cluster,
  key: Key,
  command: readonly string[],
  container?: string,
): Promise<Output> {
  const path = pathOf(pods, { ...splitKey(key), subresource: "exec" });
  const query = new URLSearchParams({ stdout: "1", stderr: "1" });
  for (const word of command) query.append("command", word);
  if (container !== undefined) query.set("container", container);
  const dispatcher = new Agent({ connect: { ca: cluster.ca } });
  const socket = new WebSocket(`${cluster.url.replace("https", "wss")}${path}?${query.toString()}`, {
    protocols: ["v4.channel.k8s.io"],
    headers: { authorization: `Bearer ${cluster.token}` },
    dispatcher,
  });
  try {
    return await collect(socket, `exec in ${key}`);
  } finally {
    socket.close();
    await dispatcher.destroy();
  }
}

/** Each message begins with the number of its channel: 1 output, 2 errors, 3 how it ended. */
function collect(socket: WebSocket, what: string): Promise<Output> {
  const texts: Record<number, string> = { 1: "", 2: "", 3: "" };
  socket.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what}: not within ${execMs} ms`)), execMs);
    socket.addEventListener("message", ({ data }: { data: ArrayBuffer }) => {
      const bytes = Buffer.from(data);
      texts[bytes[0] ?? 0] += bytes.subarray(1).toString();
    });
    socket.addEventListener("close", () => {
      clearTimeout(timer);
      const [stdout = "", stderr = "", outcome = ""] = [texts[1], texts[2], texts[3]];
      if (outcome.includes('"Success"')) resolve({ stdout, stderr });
      else reject(new Error(`${what}: ${outcome || "the connection was refused or cut"} ${stderr}`));
    });
  });
}

/** Evicts the pods of a node, as a drain does, and resolves when all are gone from it. Disruption budgets are waited for. */
export async function drainNode({ client, transport }: KubeAccess, node: string): Promise<void> {
  await setUnschedulable({ transport }, node, true);
  const podsThere = async (): Promise<KubeObject[]> =>
    (await client.list(pods, { fieldSelector: `spec.nodeName=${node}` })).items;
  await until(
    async () => {
      const left = await podsThere();
      for (const { metadata } of left.filter((pod) => pod.metadata.deletionTimestamp === undefined)) {
        const body = { apiVersion: "policy/v1", kind: "Eviction", metadata };
        const path = pathOf(pods, { ...metadata, subresource: "eviction" });
        await transport.send({ method: "POST", path, body }).catch((error: unknown) => {
          if (!hasStatus(error, 404, 429)) throw error;
        });
      }
      return left.length === 0;
    },
    { timeoutMs: podReadyMs, message: `${node} is drained` },
  );
}

export async function setUnschedulable(
  { transport }: Pick<KubeAccess, "transport">,
  node: string,
  unschedulable: boolean,
): Promise<void> {
  const body = { spec: { unschedulable } };
  const contentType = "application/merge-patch+json";
  await transport.send({ method: "PATCH", path: `/api/v1/nodes/${node}`, body, contentType });
}
