// A kubelet of a few lines, with its scheduler: binds the pods of one namespace to its nodes and runs the container of each as a
// process of this machine, from the entry file that the container's argument names. It does to pods' statuses and to their end what
// the real one does, as far as the operator can see it.
import type { ChildProcess } from "node:child_process";
import { z } from "zod";
import { nodes, pods } from "#operator/kinds.ts";
import { hasStatus } from "#operator/runtime/api-error.ts";
import { systemClock } from "#operator/runtime/clock.ts";
import { type KubeObject, pathOf } from "#operator/runtime/objects.ts";
import { startReflector } from "#operator/runtime/reflector.ts";
import { privateFolder } from "./folder.ts";
import type { KubeAccess } from "./kube-objects.ts";
import { type Pod, podSchema } from "./kubelet-pod.ts";
import { Sandbox, type Shared } from "./kubelet-sandbox.ts";
import { testLog } from "./log.ts";

export type Kubelet = AsyncDisposable & {
  nodes: readonly string[];
  /** The process of a pod that runs now. */
  processOf(podName: string): ChildProcess | undefined;
  /** Names of pods whose process was started, in order; restarts too. */
  starts: readonly string[];
  /** What processes have printed. */
  output(): string;
  /**
   * From now on the node does not reach the API server, and is tainted as the control plane does it. What runs there runs on, and can
   * still reach everything else. The returned function ends it.
   */
  lose(node: string): Promise<() => Promise<void>>;
  setUnschedulable(node: string, unschedulable: boolean): Promise<void>;
};

type Options = { admin: KubeAccess; namespace: string };

const unreachable = { key: "node.kubernetes.io/unreachable", effect: "NoExecute" };

export async function startKubelet({ admin, namespace }: Options): Promise<Kubelet> {
  const names = [`${namespace}-a`, `${namespace}-b`];
  for (const name of names) await admin.client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name } });
  const stopping = new AbortController();
  const sandboxes = new Map<string, Sandbox>();
  const lost = new Map<string, Promise<void>>();
  const starts: string[] = [];
  let output = "";
  const print = (text: string): void => void (output += text);
  const folder = privateFolder("kubelet");
  const shared: Shared = { admin, namespace, folder, starts, signal: stopping.signal, print };
  const see = (object: KubeObject): void => {
    const pod = podSchema.parse(object);
    const known = sandboxes.get(pod.metadata.uid);
    const { nodeName } = pod.spec;
    if (known !== undefined) return known.see(pod);
    if (nodeName === undefined) return void bind(shared, pod, names);
    const begin = (): void => {
      if (names.includes(nodeName)) sandboxes.set(pod.metadata.uid, new Sandbox(shared, pod));
    };
    const healed = lost.get(nodeName);
    if (healed === undefined) begin();
    else void healed.then(begin);
  };
  const reflector = startReflector({
    client: admin.client,
    resource: pods,
    selection: { namespace },
    project: (object) => object,
    onChange({ type, object }) {
      if (type !== "deleted") return see(object);
      sandboxes.get(object.metadata.uid)?.vanish();
    },
    clock: systemClock,
    random: Math.random,
    metrics: admin.metrics,
    log: testLog,
  });
  return {
    nodes: names,
    starts,
    output: () => output,
    processOf: (podName) => [...sandboxes.values()].findLast((sandbox) => sandbox.name === podName)?.child,
    async lose(node) {
      const healing = Promise.withResolvers<void>();
      lost.set(node, healing.promise);
      for (const sandbox of sandboxes.values()) if (sandbox.node === node) sandbox.cut(healing.promise);
      await patchNode(admin, node, { taints: [unreachable] });
      return async () => {
        lost.delete(node);
        healing.resolve();
        await patchNode(admin, node, { taints: null });
      };
    },
    setUnschedulable: (node, unschedulable) => patchNode(admin, node, { unschedulable }),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await reflector[Symbol.asyncDispose]();
      await Promise.all([...sandboxes.values()].map((sandbox) => sandbox.end()));
    },
  };
}

async function patchNode({ transport }: KubeAccess, name: string, spec: object): Promise<void> {
  const path = pathOf(nodes, { name });
  await transport.send({ method: "PATCH", path, body: { spec }, contentType: "application/merge-patch+json" });
}

const nodeSchema = z.object({
  spec: z.object({ unschedulable: z.boolean().optional(), taints: z.array(z.unknown()).optional() }).optional(),
});

/** To the first node that takes the pod; one that wants a labelled node finds none. */
async function bind({ admin, namespace }: Shared, { metadata, spec }: Pod, names: readonly string[]): Promise<void> {
  if (spec.nodeSelector !== undefined) return;
  const avoided = JSON.stringify(spec.affinity ?? {});
  const takesPods = async (node: string): Promise<boolean> => {
    const { unschedulable = false, taints = [] } = nodeSchema.parse(await admin.client.get(nodes, node)).spec ?? {};
    return !unschedulable && taints.length === 0 && !avoided.includes(`"${node}"`);
  };
  const free = await Promise.all(names.map(takesPods));
  const name = names.find((_, index) => free[index]);
  if (name === undefined) return;
  const body = {
    apiVersion: "v1",
    kind: "Binding",
    metadata: { name: metadata.name },
    target: { apiVersion: "v1", kind: "Node", name },
  };
  const path = pathOf(pods, { namespace, name: metadata.name, subresource: "binding" });
  await admin.transport.send({ method: "POST", path, body }).catch((error: unknown) => {
    if (!hasStatus(error, 404, 409)) testLog.error({ err: error }, "pod was not bound");
  });
}
