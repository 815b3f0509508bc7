// What the operator keeps of a connection pod: half a KiB instead of sixteen.
import { annotations, labels } from "./names.ts";
import { isRecord, type Key, type KubeObject, type Metadata } from "./runtime/objects.ts";

export type PodView = {
  metadata: Pick<Metadata, "name" | "namespace" | "uid" | "resourceVersion">;
  /** The number's key, by the pod's label. */
  number: Key;
  /** Of its controller. */
  ownerUid: string;
  epoch: number;
  specHash: string;
  isEvictable: boolean;
  /** See number/given-up.ts. */
  standbyGivenUp: string | undefined;
  nodeName: string | undefined;
  createdAt: Date;
  isDeleting: boolean;
  isStarted: boolean;
  isReady: boolean;
  /** See PodFacts. */
  isEnded: boolean;
  isRestarting: boolean;
  /** Why a container does not start, in Kubernetes' word, such as ImagePullBackOff. */
  waitingReason: string | undefined;
};

export function projectPod({ metadata, spec, status }: KubeObject): PodView {
  const { name, namespace, uid, resourceVersion, labels: own = {} } = metadata;
  const containers = containersOf(status);
  const isDeleting = metadata.deletionTimestamp !== undefined;
  const phase = textIn(status, "phase");
  const isTerminal = phase === "Failed" || phase === "Succeeded";
  const isOver = isDeleting || isTerminal;
  const areTerminated =
    containers.length > 0 && containers.length >= countContainers(spec) && containers.every(isTerminated);
  const restarting = containers.some(
    (container) => isTerminated(container) || (isWaiting(container) && hasRun(container)),
  );
  return {
    metadata: { name, uid, resourceVersion, ...(namespace !== undefined && { namespace }) },
    number: `${namespace ?? ""}/${own[labels.instance] ?? ""}`,
    ownerUid: metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid ?? "",
    epoch: Number(own[labels.epoch] ?? Number.NaN),
    specHash: metadata.annotations?.[annotations.specHash] ?? "",
    isEvictable: own[labels.evictable] === "true",
    standbyGivenUp: metadata.annotations?.[annotations.standbyGivenUp],
    nodeName: textIn(spec, "nodeName"),
    createdAt: new Date(metadata.creationTimestamp ?? 0),
    isDeleting,
    isStarted: containers.length > 0 && containers.every(({ started }) => started === true),
    isReady: hasCondition(status, "Ready"),
    // While a pod is being deleted, a container that is told to be terminated may be the one before the last.
    isEnded: isTerminal && !isWrittenOff(status) && areTerminated,
    isRestarting: !isOver && restarting,
    waitingReason: containers.map(waitingReasonOf).find((reason) => reason !== undefined),
  };
}

type ContainerStatus = Record<string, unknown>;

function containersOf(status: unknown): ContainerStatus[] {
  const list = isRecord(status) ? status["containerStatuses"] : undefined;
  return Array.isArray(list) ? list.filter(isRecord) : [];
}

function countContainers(spec: unknown): number {
  const list = isRecord(spec) ? spec["containers"] : undefined;
  return Array.isArray(list) ? list.length : 0;
}

function stateOf(container: ContainerStatus, name: string): Record<string, unknown> | undefined {
  const state = isRecord(container["state"]) ? container["state"][name] : undefined;
  return isRecord(state) ? state : undefined;
}

function isTerminated(container: ContainerStatus): boolean {
  return stateOf(container, "terminated") !== undefined;
}

function isWaiting(container: ContainerStatus): boolean {
  return stateOf(container, "waiting") !== undefined;
}

function hasRun({ lastState }: ContainerStatus): boolean {
  return isRecord(lastState) && isRecord(lastState["terminated"]);
}

function waitingReasonOf(container: ContainerStatus): string | undefined {
  return textIn(stateOf(container, "waiting"), "reason");
}

function hasCondition(status: unknown, type: string): boolean {
  return conditionsOf(status).some((condition) => condition["type"] === type && condition["status"] === "True");
}

/** The phase is the pod garbage collector's, which cannot see the node; the containers are as the kubelet told last. */
function isWrittenOff(status: unknown): boolean {
  return conditionsOf(status).some(({ type, reason }) => type === "DisruptionTarget" && reason === "DeletionByPodGC");
}

function conditionsOf(status: unknown): Record<string, unknown>[] {
  const list = isRecord(status) ? status["conditions"] : undefined;
  return Array.isArray(list) ? list.filter(isRecord) : [];
}

function textIn(record: unknown, field: string): string | undefined {
  const value = isRecord(record) ? record[field] : undefined;
  return typeof value === "string" && value !== "" ? value : undefined;
}
