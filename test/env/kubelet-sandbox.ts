// One pod on its node: its container as a process of this machine, its status as the kubelet writes it, its end.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sleep } from "#lib/lifecycle.ts";
import { pods, secrets } from "#operator/kinds.ts";
import { hasStatus } from "#operator/runtime/api-error.ts";
import { pathOf } from "#operator/runtime/objects.ts";
import type { KubeAccess } from "./kube-objects.ts";
import { environmentOf, mountsOf, type Pod, podIp, portsOf, writeSecret } from "./kubelet-pod.ts";
import { testLog } from "./log.ts";

export type Shared = {
  admin: KubeAccess;
  namespace: string;
  folder: string;
  /** Names of pods whose process was started. */
  starts: string[];
  /** Ends everything. */
  signal: AbortSignal;
  print: (text: string) => void;
};

type Told = { phase?: string; started?: boolean; ready?: boolean };

const root = fileURLToPath(new URL("../../", import.meta.url));
const pollMs = 150;
const restartMs = 1_000;

export class Sandbox {
  readonly name: string;
  readonly node: string;
  child: ChildProcess | undefined;
  readonly #shared: Shared;
  readonly #pod: Pod;
  readonly #finished: Promise<void>;
  readonly #gone = new AbortController();
  readonly #deleted = new AbortController();
  /** Resolves when the node reaches the API server again; until then nothing is heard and nothing told. */
  #healed: Promise<void> | undefined;
  #restarts = 0;
  #told = "";

  constructor(shared: Shared, pod: Pod) {
    this.#shared = shared;
    this.#pod = pod;
    this.name = pod.metadata.name;
    this.node = pod.spec.nodeName ?? "";
    this.see(pod);
    this.#finished = this.#run().catch((error: unknown) =>
      testLog.error({ err: error, pod: this.name }, "sandbox failed"),
    );
  }

  /** Until `healed` resolves, the node does not reach the API server; its processes run on. */
  cut(healed: Promise<void>): void {
    this.#healed = healed;
    void healed.then(() => (this.#healed = undefined));
  }

  see(pod: Pod): void {
    if (pod.metadata.deletionTimestamp !== undefined) this.#hear(() => this.#deleted.abort());
  }

  /** The object is gone, whatever its process does: it is ended, with its grace. */
  vanish(): void {
    this.#hear(() => {
      this.#gone.abort();
      this.#deleted.abort();
    });
  }

  #hear(what: () => void): void {
    if (this.#healed === undefined) what();
    else void this.#healed.then(what);
  }

  async end(): Promise<void> {
    this.child?.kill("SIGKILL");
    await this.#finished;
  }

  async #run(): Promise<void> {
    const { signal } = this.#shared;
    const ending = AbortSignal.any([signal, this.#deleted.signal]);
    const files = await this.#mount(ending);
    const ports = await portsOf(this.#pod);
    while (!ending.aborted) {
      await this.#runOnce(environmentOf(this.#pod, files, ports), ending);
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

  async #runOnce(env: Record<string, string>, ending: AbortSignal): Promise<void> {
    const child = this.#spawn(env);
    this.child = child;
    const over = new AbortController();
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    void exited.then(() => over.abort());
    const isUp = (path: string): Promise<boolean> =>
      fetch(`http://${podIp}:${env["HTTP_PORT"] ?? ""}${path}`, { signal: AbortSignal.timeout(2_000) }).then(
        ({ ok }) => ok,
        () => false,
      );
    const startedAt = new Date().toISOString();
    let started = false;
    while (!ending.aborted && !over.signal.aborted) {
      // Once it was up it counts as started, as after a startup probe.
      started ||= await isUp("/healthz");
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

  #spawn(env: Record<string, string>): ChildProcess {
    const [container] = this.#pod.spec.containers;
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
    this.#shared.starts.push(this.name);
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (data: Buffer) => this.#shared.print(data.toString()));
    return child;
  }

  /** Secrets as files; a pod waits for those that do not exist. */
  async #mount(ending: AbortSignal): Promise<Map<string, string>> {
    const { admin, namespace, folder } = this.#shared;
    const own = join(folder, this.#pod.metadata.uid);
    const files = new Map<string, string>();
    for (const { secretName, mountPath } of mountsOf(this.#pod)) {
      while (!ending.aborted) {
        const written = writeSecret(await admin.client.get(secrets, `${namespace}/${secretName}`), mountPath, own);
        for (const [path, file] of written ?? []) files.set(path, file);
        if (written !== undefined) break;
        await this.#tell({ waiting: { reason: "ContainerCreating" } });
        await sleep(pollMs, ending);
      }
    }
    return files;
  }

  /** Writes the status if it changed. */
  async #tell(state: object, { phase = "Running", started = false, ready = false }: Told = {}): Promise<void> {
    if (this.#healed !== undefined) await Promise.race([this.#healed, aborted(this.#shared.signal)]);
    const { admin, namespace, signal } = this.#shared;
    const lastState = this.#restarts > 0 || "waiting" in state ? { terminated: { exitCode: 1 } } : {};
    const name = this.#pod.spec.containers[0]?.name;
    const container = { name, image: "test", imageID: "test", restartCount: this.#restarts, started, ready, state };
    const status = {
      phase,
      podIP: podIp,
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      containerStatuses: [{ ...container, lastState: this.#restarts === 0 && !started ? {} : lastState }],
    };
    const text = JSON.stringify(status);
    if (text === this.#told || this.#gone.signal.aborted || signal.aborted) return;
    this.#told = text;
    const path = pathOf(pods, { namespace, name: this.name, subresource: "status" });
    const body = { metadata: { uid: this.#pod.metadata.uid }, status };
    await admin.transport
      .send({ method: "PATCH", path, body, contentType: "application/merge-patch+json" })
      .catch((error: unknown) => {
        if (!hasStatus(error, 0, 404, 409)) throw error;
      });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
