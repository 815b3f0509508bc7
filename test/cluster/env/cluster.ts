// A real Kubernetes of its own for whoever asks: in namespaces of Linux, so that the machine's network, mounts and control groups stay
// as they are; gone when it is disposed, or when this process is gone.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "#local/nats.ts";
import { type Kube, kubeconfigFor } from "../../env/kube.ts";
import { findClusterBinaries } from "./binaries.ts";
import { run } from "./command.ts";
import { prepareMachine } from "./machine.ts";
import { type NodePlace, placeOf } from "./network.ts";
import { pauseImage, socketOf } from "./node.ts";
import { adminToken } from "./pki.ts";
import { forward, type Forward } from "./relay.ts";
import type { StageSettings } from "./stage.ts";
import { writePauseImage } from "./stand-ins.ts";
import { clusterFolder, sweep } from "./sweep.ts";

export type Cluster = Kube &
  AsyncDisposable & {
    nodes: readonly string[];
    /** Logs below `log/`, and what else a failure may be found in; gone with the cluster. */
    folder: string;
    keeperPid: number;
    /** Runs a program beside the control plane, in the cluster's namespaces, to its end. */
    inside(program: string, ...args: readonly string[]): Promise<string>;
    /** Puts an archive's images onto every node. */
    loadImage(archive: string): Promise<void>;
    /** A port of this machine that leads to `host:port` inside; a Service is called as pods would call it, with its namespace. */
    forward(target: string): Promise<Forward>;
    /** Nobody hears of the node and its pods any more; they run on. */
    cutNetwork(node: string): Promise<void>;
    mendNetwork(node: string): Promise<void>;
    /** To a program of the cluster, such as `node1-kubelet` or `kube-apiserver`. */
    signal(program: string, signal: NodeJS.Signals): Promise<void>;
    /** To the first process of a container, by its containerID in the pod's status. */
    signalContainer(node: string, containerId: string, signal: NodeJS.Signals): Promise<void>;
  };

type ClusterOptions = {
  /** Gets a line for what takes long. */
  progress?: (line: string) => void;
  nodeCount?: number;
  /** How long a node may be silent before it counts as lost; Kubernetes' own default is 50. */
  nodeGraceSeconds?: number;
};

const keeper = fileURLToPath(new URL("keeper.ts", import.meta.url));

/** Resolves when all nodes are ready. Rejects with one line where there can be no cluster. */
export async function startCluster({
  progress = (line) => void process.stderr.write(`${line}\n`),
  nodeCount = 2,
  nodeGraceSeconds = 50,
}: ClusterOptions = {}): Promise<Cluster> {
  await prepareMachine(progress);
  const binaries = await findClusterBinaries(progress);
  await sweep();
  const settings: StageSettings = { binaries, nodeCount, nodeGraceSeconds, pauseArchive: await pauseArchive() };
  const child = spawn(process.execPath, [keeper, JSON.stringify(settings)], { detached: true });
  await using opened = new AsyncDisposableStack();
  opened.defer(() => end(child));
  await untilReady(child);
  const folder = clusterFolder(child.pid ?? 0);
  const api = opened.use(await forward(join(folder, "relay.sock"), "127.0.0.1:6443"));
  const running = opened.move();
  const url = `https://127.0.0.1:${api.port}`;
  const ca = readFileSync(join(folder, "pki", "ca.crt"), "utf8");
  return {
    ...controlsOf(
      folder,
      Array.from({ length: nodeCount }, (_, index) => placeOf(index + 1)),
    ),
    url,
    ca,
    token: adminToken,
    kubeconfig: kubeconfigFor({ url, ca }, adminToken),
    keeperPid: child.pid ?? 0,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** The same for all clusters. */
async function pauseArchive(): Promise<string> {
  const archive = join(cacheFolder, "pause.tar");
  if (!existsSync(archive)) await writePauseImage({ reference: pauseImage, archive });
  return archive;
}

function untilReady({ stdout, stderr }: ChildProcessWithoutNullStreams): Promise<void> {
  return new Promise((resolve, reject) => {
    let complaints = "";
    stderr.on("data", (data: Buffer) => (complaints += data.toString()));
    stdout.on("data", (data: Buffer) => data.toString().includes("ready") && resolve());
    stderr.once("close", () => reject(new Error(`the cluster did not come up: ${complaints.trim()}`)));
  });
}

/** The keeper goes when everything of the cluster has gone. */
async function end(child: ChildProcessWithoutNullStreams): Promise<void> {
  child.stdin.destroy();
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

type Controls = Omit<Cluster, keyof Kube | "keeperPid" | typeof Symbol.asyncDispose>;

function controlsOf(folder: string, places: readonly NodePlace[]): Controls {
  const holder = readFileSync(join(folder, "holder.pid"), "utf8");
  const inside: Cluster["inside"] = (program, ...args) => {
    const namespaces = ["--mount", "--net", "--ipc", `--pid=/proc/${holder}/ns/pid_for_children`];
    return run("nsenter", "--target", holder, ...namespaces, program, ...args);
  };
  const ctr = (node: string, ...args: string[]): Promise<string> =>
    inside("ctr", "--address", socketOf(folder, node), "--namespace", "k8s.io", ...args);
  const setLink = async (node: string, state: "up" | "down"): Promise<void> => {
    const { link } = placeNamed(places, node);
    await inside("ip", "link", "set", link, state);
  };
  return {
    folder,
    nodes: places.map(({ name }) => name),
    inside,
    forward: (target) => forward(join(folder, "relay.sock"), target),
    async loadImage(archive) {
      await Promise.all(places.map(({ name }) => ctr(name, "images", "import", archive)));
    },
    cutNetwork: (node) => setLink(node, "down"),
    mendNetwork: (node) => setLink(node, "up"),
    async signal(program, signal) {
      const pids = JSON.parse(readFileSync(join(folder, "pids.json"), "utf8")) as Record<string, number>;
      await inside("kill", `-${signal.slice(3)}`, String(pids[program]));
    },
    async signalContainer(node, containerId, signal) {
      await ctr(node, "tasks", "kill", "--signal", signal, containerId.replace("containerd://", ""));
    },
  };
}

function placeNamed(places: readonly NodePlace[], name: string): NodePlace {
  const place = places.find((candidate) => candidate.name === name);
  if (place === undefined) throw new Error(`the cluster has no node ${name}`);
  return place;
}
