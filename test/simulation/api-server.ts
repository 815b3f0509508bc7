// The API server: objects with versions, and watches that come late, in the order of their kind.
import { annotations, labels } from "#operator/names.ts";
import { type NodeView, projectNode } from "#operator/node-view.ts";
import type { PodView } from "#operator/pod-view.ts";
import type { KubeObject } from "#operator/runtime/objects.ts";
import { between, type Reply, type World } from "./world.ts";

export type NumberObject = {
  name: string;
  uid: string;
  version: number;
  isDeleting: boolean;
  specHash: string;
  isWanted: boolean;
  status: { epoch: number; podUid: string | undefined };
};

export type PodObject = {
  view: PodView;
  version: number;
  avoidNodes: readonly string[];
  isByGc: boolean;
  status: PodStatus;
};

/** What the kubelet tells. */
export type PodStatus = {
  phase: "Pending" | "Running" | "Failed" | "Succeeded";
  container: "none" | "waiting" | "running" | "terminated";
  hasRun: boolean;
  isReady: boolean;
};

export type NodeObject = { view: NodeView; version: number; isUnschedulable: boolean; isUnreachable: boolean };

export type ApiEvent =
  | { kind: "number"; name: string; object: NumberObject | undefined }
  | { kind: "pod"; name: string; object: PodObject | undefined }
  | { kind: "node"; name: string; object: NodeObject | undefined };

const noStatus: PodStatus = { phase: "Pending", container: "none", hasRun: false, isReady: false };
const containerStates = {
  none: undefined,
  waiting: { waiting: { reason: "CrashLoopBackOff" } },
  running: { running: {} },
  terminated: { terminated: { exitCode: 1 } },
};

export class ApiServer {
  readonly #world: World;
  isUp = true;
  readonly numbers = new Map<string, NumberObject>();
  readonly pods = new Map<string, PodObject>();
  readonly nodes = new Map<string, NodeObject>();
  readonly watchers: ((event: ApiEvent) => void)[] = [];
  #version = 0;
  #uids = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** The newest version. */
  get version(): number {
    return this.#version;
  }

  applyNumber(name: string, change: Partial<Pick<NumberObject, "specHash" | "isWanted" | "isDeleting">>): void {
    const before = this.numbers.get(name) ?? {
      name,
      uid: `n${(this.#uids += 1)}`,
      specHash: "",
      isWanted: true,
      isDeleting: false,
      status: {
        epoch: 0,
        podUid: undefined,
      },
    };
    this.#putNumber({ ...before, ...change, version: (this.#version += 1) });
  }

  removeNumber(name: string): void {
    this.#version += 1;
    this.numbers.delete(name);
    this.#tell({ kind: "number", name, object: undefined });
  }

  /** Refused if anybody has written since that version. */
  writeStatus(
    name: string,
    uid: string,
    status: NumberObject["status"],
    version: number | undefined,
  ): Reply<NumberObject> {
    const live = this.numbers.get(name);
    if (live?.uid !== uid) return { ok: false, why: "gone" };
    if (version !== undefined && live.version !== version) return { ok: false, why: "conflict" };
    this.#world.judges.statusWritten(name, uid, live.status.epoch, status.epoch);
    const after = { ...live, status, version: (this.#version += 1) };
    this.#putNumber(after);
    return { ok: true, value: after };
  }

  createPod(number: NumberObject, epoch: number, specHash: string, avoidNodes: readonly string[]): Reply<PodObject> {
    const name = `${number.name}-c${epoch}`;
    if (this.pods.has(name)) return { ok: false, why: "conflict" };
    const uid = `${name}.${(this.#uids += 1)}`;
    const createdAt = new Date(Date.UTC(2026, 0, 1) + this.#world.agenda.nowMs);
    const bare = {
      number: `default/${number.name}`,
      ownerUid: number.uid,
      epoch,
      specHash,
      standbyGivenUp: undefined,
      createdAt,
      metadata: {
        name,
        namespace: "default",
        uid,
      },
    };
    this.#world.trace(() => `api: pod ${uid} created`);
    return {
      ok: true,
      value: this.#putPod({
        bare,
        nodeName: undefined,
        isDeleting: false,
        avoidNodes,
        isByGc: false,
        status: noStatus,
      }),
    };
  }

  /** Changes what the kubelet, the scheduler or the garbage collector tell of a pod; undefined: it is another one by now. */
  changePod(uid: string, change: { nodeName?: string; status?: PodStatus; isByGc?: boolean }): PodObject | undefined {
    const live = this.#podByUid(uid);
    if (live === undefined) return undefined;
    const { view, isByGc } = live;
    return this.#putPod({
      ...live,
      nodeName: view.nodeName,
      isDeleting: view.isDeleting,
      bare: view,
      isByGc,
      ...change,
    });
  }

  /** Notes on a pod that its successor was given up. */
  markPod(uid: string, standbyGivenUp: string): Reply<PodObject> {
    const live = this.#podByUid(uid);
    if (live === undefined) return { ok: false, why: "gone" };
    const { view } = live;
    const { nodeName, isDeleting } = view;
    return { ok: true, value: this.#putPod({ ...live, bare: { ...view, standbyGivenUp }, nodeName, isDeleting }) };
  }

  /** Without a grace period, or without a node, it is gone at once. */
  deletePod(uid: string, isForced: boolean): boolean {
    const live = this.#podByUid(uid);
    if (live === undefined) return false;
    const { view } = live;
    const { name } = view.metadata;
    if (isForced || view.nodeName === undefined) {
      this.#version += 1;
      this.pods.delete(name);
      this.#world.trace(() => `api: pod ${uid} gone${isForced ? "" : ", it had no node"}`);
      this.#tell({ kind: "pod", name, object: undefined });
    } else if (!view.isDeleting) {
      this.#world.trace(() => `api: pod ${uid} is being deleted`);
      this.#putPod({ ...live, bare: view, nodeName: view.nodeName, isDeleting: true });
    }
    return true;
  }

  putNode(name: string, change: { isUnschedulable?: boolean; isUnreachable?: boolean } = {}): void {
    const before = this.nodes.get(name) ?? { isUnschedulable: false, isUnreachable: false };
    const { isUnschedulable, isUnreachable } = { ...before, ...change };
    const taints = isUnreachable ? [{ key: "node.kubernetes.io/unreachable" }] : [];
    const metadata = { name, uid: name, resourceVersion: String((this.#version += 1)) };
    const view = projectNode({ metadata, spec: { unschedulable: isUnschedulable, taints } } as unknown as KubeObject);
    const object = { view, isUnschedulable, isUnreachable, version: this.#version };
    this.nodes.set(name, object);
    this.#world.trace(
      () => `api: node ${name}${isUnschedulable ? " is being emptied" : ""}${isUnreachable ? " is unreachable" : ""}`,
    );
    this.#tell({ kind: "node", name, object });
  }

  removeNode(name: string): void {
    this.#version += 1;
    if (this.nodes.delete(name)) this.#tell({ kind: "node", name, object: undefined });
  }

  /** Everything, as a list gives it. */
  snapshot(): ApiEvent[] {
    return [
      ...Array.from(this.nodes, ([name, object]): ApiEvent => ({ kind: "node", name, object })),
      ...Array.from(this.pods, ([name, object]): ApiEvent => ({ kind: "pod", name, object })),
      ...Array.from(this.numbers, ([name, object]): ApiEvent => ({ kind: "number", name, object })),
    ];
  }

  #podByUid(uid: string): PodObject | undefined {
    const live = this.pods.get(uid.slice(0, uid.lastIndexOf(".")));
    return live?.view.metadata.uid === uid ? live : undefined;
  }

  #putNumber(object: NumberObject): void {
    this.numbers.set(object.name, object);
    this.#tell({ kind: "number", name: object.name, object });
  }

  #putPod({ bare, nodeName, isDeleting, avoidNodes, isByGc, status }: PodWrite): PodObject {
    const version = (this.#version += 1);
    const view = this.#world.rules.projectPod(rawPod({ bare, nodeName, isDeleting, isByGc, status, version }));
    const object = { view, version, avoidNodes, isByGc, status };
    this.pods.set(bare.metadata.name, object);
    this.#tell({ kind: "pod", name: bare.metadata.name, object });
    return object;
  }

  #tell(event: ApiEvent): void {
    for (const watcher of this.watchers) watcher(event);
  }
}

type Bare = Pick<PodView, "number" | "ownerUid" | "epoch" | "specHash" | "standbyGivenUp" | "createdAt"> & {
  metadata: Pick<PodView["metadata"], "name" | "namespace" | "uid">;
};
type PodWrite = {
  bare: Bare;
  nodeName: string | undefined;
  isDeleting: boolean;
  avoidNodes: readonly string[];
  isByGc: boolean;
  status: PodStatus;
};

/** As the API server would give it, in what the operator reads of it. */
function rawPod({
  bare,
  nodeName,
  isDeleting,
  isByGc,
  status,
  version,
}: Omit<PodWrite, "avoidNodes"> & { version: number }): KubeObject {
  const { metadata, number, ownerUid, epoch, specHash, standbyGivenUp, createdAt } = bare;
  const { phase, container, hasRun, isReady } = status;
  return {
    metadata: {
      ...metadata,
      resourceVersion: String(version),
      creationTimestamp: createdAt.toISOString(),
      ...(isDeleting && { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 45 }),
      labels: { [labels.instance]: number.slice("default/".length), [labels.epoch]: String(epoch) },
      annotations: {
        [annotations.specHash]: specHash,
        ...(standbyGivenUp !== undefined && { [annotations.standbyGivenUp]: standbyGivenUp }),
      },
      ownerReferences: [{ controller: true, uid: ownerUid }],
    },
    spec: { nodeName, containers: [{}] },
    status: {
      phase,
      conditions: [
        { type: "Ready", status: isReady ? "True" : "False" },
        ...(isByGc ? [{ type: "DisruptionTarget", status: "True", reason: "DeletionByPodGC" }] : []),
      ],
      containerStatuses:
        container === "none"
          ? []
          : [
              {
                state: containerStates[container],
                started: container === "running",
                ...(hasRun && { lastState: { terminated: { exitCode: 1 } } }),
              },
            ],
    },
  } as unknown as KubeObject;
}

/** Late by chance, and sometimes by much. */
export function watchLagMs(world: World): number {
  return world.random() < 0.97 ? between(world, 1, 60) : between(world, 60, 2_000);
}
