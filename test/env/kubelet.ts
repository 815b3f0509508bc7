// A kubelet of a few lines, with its scheduler: binds the pods of one namespace to its nodes and runs the container of each as a
// process of this machine, from the entry file that the container's argument names. It does to pods' statuses and to their end what
// the real one does, as far as the operator can see it.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { findFreePort } from "#local/server-process.ts";
import { nodes, pods, secrets } from "#operator/kinds.ts";
import { hasStatus } from "#operator/runtime/api-error.ts";
import { systemClock } from "#operator/runtime/clock.ts";
import { type KubeObject, pathOf } from "#operator/runtime/objects.ts";
import { startReflector } from "#operator/runtime/reflector.ts";
import { sleep } from "#lib/lifecycle.ts";
import { privateFolder } from "./folder.ts";
import type { KubeAccess } from "./kube-objects.ts";
import { testLog } from "./log.ts";

export type Kubelet = AsyncDisposable & {
  nodes: readonly string[];
  /** The process of a pod that runs now. */
  processOf(podName: string): ChildProcess | undefined;
  /** Names of pods whose process was started, in order; restarts too. */
  starts: readonly string[];
  /** What processes have printed. */
  output(): string;
};

type Options = { admin: KubeAccess; namespace: string };

const envVar = z.object({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z.object({ fieldRef: z.object({ fieldPath: z.string() }).optional() }).optional(),
});
const podSchema = z.object({
  metadata: z.object({ name: z.string(), uid: z.string(), deletionTimestamp: z.string().optional() }),
  spec: z.object({
    nodeName: z.string().optional(),
    terminationGracePeriodSeconds: z.number(),
    affinity: z.unknown().optional(),
    containers: z
      .array(
        z.object({
          name: z.string(),
          args: z.array(z.string()),
          env: z.array(envVar),
          ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
          volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })),
        }),
      )
      .length(1),
    volumes: z.array(z.object({ name: z.string(), secret: z.object({ secretName: z.string() }).optional() })),
  }),
});
type Pod = z.infer<typeof podSchema>;

const root = fileURLToPath(new URL("../../", import.meta.url));
const podIp = "127.0.0.1";
const pollMs = 150;
const restartMs = 1_000;

export async function startKubelet({ admin, namespace }: Options): Promise<Kubelet> {
  const names = [`${namespace}-a`, `${namespace}-b`];
  for (const name of names) await admin.client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name } });
  const stopping = new AbortController();
  const sandboxes = new Map<string, Sandbox>();
  const starts: string[] = [];
  let output = "";
  const folder = privateFolder("kubelet");
  const shared = {
    admin,
    namespace,
    folder,
    starts,
    signal: stopping.signal,
    print: (text: string): void => void (output += text),
  };
  const see = (object: KubeObject): void => {
    const pod = podSchema.parse(object);
    const known = sandboxes.get(pod.metadata.uid);
    if (known !== undefined) return known.see(pod);
    if (pod.spec.nodeName === undefined) void bind(shared, pod, names);
    else if (names.includes(pod.spec.nodeName)) sandboxes.set(pod.metadata.uid, new Sandbox(shared, pod));
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
    processOf: (podName) => [...sandboxes.values()].find((sandbox) => sandbox.name === podName)?.child,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await reflector[Symbol.asyncDispose]();
      await Promise.all([...sandboxes.values()].map((sandbox) => sandbox.end()));
    },
  };
}

type Shared = Options & { folder: string; starts: string[]; signal: AbortSignal; print: (text: string) => void };

/** To the first node that the pod does not keep off. */
async function bind({ admin, namespace }: Shared, { metadata, spec }: Pod, names: readonly string[]): Promise<void> {
  const avoided = JSON.stringify(spec.affinity ?? {});
  const isFree = async (node: string): Promise<boolean> => {
    const { spec } = z
      .object({ spec: z.record(z.string(), z.unknown()).optional() })
      .parse(await admin.client.get(nodes, node));
    return spec?.["unschedulable"] !== true && !avoided.includes(`"${node}"`);
  };
  const free = await Promise.all(names.map(isFree));
  const name = names.find((_, index) => free[index]) ?? "";
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

/** One pod, from its node's view. */
class Sandbox {
  readonly name: string;
  child: ChildProcess | undefined;
  readonly #shared: Shared;
  readonly #pod: Pod;
  readonly #finished: Promise<void>;
  readonly #gone = new AbortController();
  readonly #deleted = new AbortController();
  #restarts = 0;
  #told = "";

  constructor(shared: Shared, pod: Pod) {
    this.#shared = shared;
    this.#pod = pod;
    this.name = pod.metadata.name;
    this.see(pod);
    this.#finished = this.#run().catch((error: unknown) =>
      testLog.error({ err: error, pod: this.name }, "sandbox failed"),
    );
  }

  see(pod: Pod): void {
    if (pod.metadata.deletionTimestamp !== undefined) this.#deleted.abort();
  }

  /** The object is gone, whatever its process does: it is ended, with its grace. */
  vanish(): void {
    this.#gone.abort();
    this.#deleted.abort();
  }

  async end(): Promise<void> {
    this.child?.kill("SIGKILL");
    await this.#finished;
  }

  async #run(): Promise<void> {
    const { signal } = this.#shared;
    const ending = AbortSignal.any([signal, this.#deleted.signal]);
    const files = await this.#mount(ending);
    const ports = await this.#ports();
    while (!ending.aborted) {
      await this.#runOnce(files, ports, ending);
      if (ending.aborted) break;
      await this.#tell({ waiting: { reason: "CrashLoopBackOff" } });
      this.#restarts += 1;
      await sleep(restartMs, ending);
    }
    if (signal.aborted || this.#gone.signal.aborted) return;
    await this.#tell({ terminated: { exitCode: 0, reason: "Completed" } }, { phase: "Succeeded" });
    const key = `${this.#shared.namespace}/${this.name}`;
    await this.#shared.admin.client
      .delete(pods, key, { uid: this.#pod.metadata.uid, gracePeriodSeconds: 0 })
      .catch((error: unknown) => testLog.debug({ err: error }, "pod was gone already"));
  }

  async #runOnce(
    files: ReadonlyMap<string, string>,
    ports: ReadonlyMap<string, string>,
    ending: AbortSignal,
  ): Promise<void> {
    const [container] = this.#pod.spec.containers;
    const env = this.#environment(files, ports);
    const entry = join(root, "services", container?.args[0] ?? "", "main.ts");
    const child = spawn(process.execPath, [entry], {
      env: {
        ...env,
        PATH: process.env["PATH"],
        LOG_LEVEL: "info",
        NODE_COMPILE_CACHE: join(root, "node_modules/.cache/compile"),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    this.#shared.starts.push(this.name);
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (data: Buffer) => this.#shared.print(data.toString()));
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const over = new AbortController();
    void exited.then(() => over.abort());
    const isUp = (path: string): Promise<boolean> =>
      fetch(`http://${podIp}:${env["HTTP_PORT"] ?? ""}${path}`, { signal: AbortSignal.timeout(1_000) }).then(
        ({ ok }) => ok,
        () => false,
      );
    const startedAt = new Date().toISOString();
    while (!ending.aborted && !over.signal.aborted) {
      const started = await isUp("/healthz");
      const ready = started && (await isUp("/readyz"));
      if (!over.signal.aborted) await this.#tell({ running: { startedAt } }, { started, ready });
      await sleep(pollMs, AbortSignal.any([ending, over.signal]));
    }
    child.kill("SIGTERM");
    const kill = setTimeout(() => child.kill("SIGKILL"), this.#pod.spec.terminationGracePeriodSeconds * 1_000);
    await exited;
    clearTimeout(kill);
    this.child = undefined;
  }

  /** Secrets as files; a pod waits for those that do not exist. */
  async #mount(ending: AbortSignal): Promise<Map<string, string>> {
    const { admin, namespace, folder } = this.#shared;
    const files = new Map<string, string>();
    for (const { name, secret } of this.#pod.spec.volumes) {
      const mount = this.#pod.spec.containers[0]?.volumeMounts.find((candidate) => candidate.name === name);
      while (secret !== undefined && mount !== undefined && !ending.aborted) {
        const object = await admin.client.get(secrets, `${namespace}/${secret.secretName}`);
        const data = z.object({ data: z.record(z.string(), z.string()) }).safeParse(object);
        for (const [key, value] of Object.entries(data.data?.data ?? {})) {
          const path = join(folder, this.#pod.metadata.uid, key);
          mkdirSync(dirname(path), { recursive: true });
          writeFileSync(path, Buffer.from(value, "base64"));
          files.set(`${mount.mountPath}/${key}`, path);
        }
        if (data.success) break;
        await this.#tell({ waiting: { reason: "ContainerCreating" } });
        await sleep(pollMs, ending);
      }
    }
    return files;
  }

  /** Pods of a machine without network namespaces share its ports: each gets free ones for those that it names. */
  async #ports(): Promise<Map<string, string>> {
    const ports = new Map<string, string>();
    for (const { containerPort } of this.#pod.spec.containers[0]?.ports ?? [])
      ports.set(String(containerPort), String(await findFreePort(podIp)));
    return ports;
  }

  #environment(files: ReadonlyMap<string, string>, ports: ReadonlyMap<string, string>): Record<string, string> {
    const fields: Record<string, string> = { "metadata.uid": this.#pod.metadata.uid, "status.podIP": podIp };
    const env: Record<string, string> = {};
    for (const { name, value = "", valueFrom } of this.#pod.spec.containers[0]?.env ?? []) {
      const text = valueFrom === undefined ? value : (fields[valueFrom.fieldRef?.fieldPath ?? ""] ?? "");
      const expanded = text.replaceAll(/\$\((\w+)\)/g, (_, variable: string) => env[variable] ?? "");
      const port = /^(?:(.*):)?(\d+)$/.exec(expanded);
      const own = ports.get(port?.[2] ?? "");
      const mapped = own === undefined ? expanded : `${port?.[1] === undefined ? "" : `${port[1]}:`}${own}`;
      env[name] = files.get(mapped) ?? mapped;
    }
    return env;
  }

  /** Writes the status if it changed. */
  async #tell(state: object, { phase = "Running", started = false, ready = false } = {}): Promise<void> {
    const [container] = this.#pod.spec.containers;
    const lastState = this.#restarts > 0 || "waiting" in state ? { terminated: { exitCode: 1 } } : {};
    const status = {
      phase,
      podIP: podIp,
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      containerStatuses: [
        {
          name: container?.name,
          image: "test",
          imageID: "test",
          restartCount: this.#restarts,
          started,
          ready,
          state,
          lastState: this.#restarts === 0 && !started ? {} : lastState,
        },
      ],
    };
    const text = JSON.stringify(status);
    if (text === this.#told || this.#gone.signal.aborted) return;
    this.#told = text;
    const { admin, namespace } = this.#shared;
    const path = pathOf(pods, { namespace, name: this.name, subresource: "status" });
    const body = { metadata: { uid: this.#pod.metadata.uid }, status };
    await admin.transport
      .send({ method: "PATCH", path, body, contentType: "application/merge-patch+json" })
      .catch((error: unknown) => {
        if (!hasStatus(error, 0, 404, 409)) throw error;
      });
  }
}
