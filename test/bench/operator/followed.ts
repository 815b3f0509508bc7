// What the bench sees of the fleet: a watch of its own on numbers and pods, and when each pod was first seen there.
import { pods as podResource, whatsAppNumbers } from "#operator/kinds.ts";
import { systemClock } from "#operator/runtime/clock.ts";
import { isRecord, type KubeObject, type Metadata } from "#operator/runtime/objects.ts";
import { startReflector } from "#operator/runtime/reflector.ts";
import type { Change } from "#operator/runtime/store.ts";
import type { KubeAccess } from "#test/env/kube-objects.ts";
import { testLog } from "#test/env/log.ts";

type Identity = Pick<Metadata, "name" | "namespace" | "uid" | "resourceVersion">;

export type SeenNumber = {
  metadata: Identity;
  phoneNumberId: string;
  epoch: number;
  /** Ready, of the spec as it is, with the pod known that makes it so. */
  isSettled: boolean;
  /** What the quality service knows is shown. */
  hasLimit: boolean;
};

export type SeenPod = {
  metadata: Identity;
  number: string;
  phoneNumberId: string;
  epoch: number;
  isBound: boolean;
  isReady: boolean;
  isDeleting: boolean;
};

export type Followed = AsyncDisposable & {
  numbers(): Iterable<SeenNumber>;
  number(name: string): SeenNumber | undefined;
  podsOf(name: string): SeenPod[];
  podCount(): number;
  /** When a pod of this name was told, ms of `performance.now()`. */
  podSeenAtMs(name: string): number | undefined;
  /** When anything was told last. */
  changedAtMs(): number;
  /** Changes of numbers told so far. */
  numberChanges(): number;
};

type Options = { admin: KubeAccess; namespace: string; onPod: (change: Change<SeenPod>) => void };

/** Resolves when both kinds were listed. */
export async function followFleet({ admin, namespace, onPod }: Options): Promise<Followed> {
  const podSeen = new Map<string, number>();
  let changedAtMs = performance.now();
  let numberChanges = 0;
  const note = (): void => void (changedAtMs = performance.now());
  const shared = {
    client: admin.client,
    selection: { namespace },
    clock: systemClock,
    random: Math.random,
    metrics: admin.metrics,
    log: testLog,
  };
  await using opened = new AsyncDisposableStack();
  const numbers = opened.use(
    startReflector({
      ...shared,
      resource: whatsAppNumbers,
      project: toNumber,
      onChange() {
        numberChanges += 1;
        note();
      },
    }),
  );
  const pods = opened.use(
    startReflector({
      ...shared,
      resource: podResource,
      project: toPod,
      indexes: { number: ({ number }) => [number] },
      onChange(change) {
        note();
        const { name } = change.object.metadata;
        if (change.type === "added") podSeen.set(name, podSeen.get(name) ?? performance.now());
        onPod(change);
      },
    }),
  );
  await Promise.all([numbers.synced, pods.synced]);
  const running = opened.move();
  return {
    numbers: () => numbers.store.objects(),
    number: (name) => numbers.store.get(`${namespace}/${name}`),
    podsOf: (name) => pods.store.lookup("number", name),
    podCount: () => pods.store.size(),
    podSeenAtMs: (name) => podSeen.get(name),
    changedAtMs: () => changedAtMs,
    numberChanges: () => numberChanges,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

export function toNumber({ metadata, spec, status }: KubeObject): SeenNumber {
  const { name, namespace, uid, resourceVersion, generation } = metadata;
  const told = isRecord(status) ? status : {};
  const connection = isRecord(told["connection"]) ? told["connection"] : {};
  const isKnown = typeof connection["podUid"] === "string";
  return {
    metadata: { name, uid, resourceVersion, ...(namespace !== undefined && { namespace }) },
    phoneNumberId: isRecord(spec) ? String(spec["phoneNumberId"]) : "",
    epoch: Number(connection["epoch"] ?? 0),
    isSettled: told["observedGeneration"] === generation && isKnown && isReady(told),
    hasLimit: typeof told["messagingLimit"] === "string",
  };
}

export function toPod({ metadata, spec, status }: KubeObject): SeenPod {
  const { name, namespace, uid, resourceVersion, labels = {} } = metadata;
  return {
    metadata: { name, uid, resourceVersion, ...(namespace !== undefined && { namespace }) },
    number: labels["app.kubernetes.io/instance"] ?? "",
    phoneNumberId: phoneNumberIdOf(spec),
    epoch: Number(labels["heliograph.dev/epoch"] ?? Number.NaN),
    isBound: isRecord(spec) && typeof spec["nodeName"] === "string",
    isReady: isReady(status),
    isDeleting: metadata.deletionTimestamp !== undefined,
  };
}

/** As its process reads it. */
function phoneNumberIdOf(spec: unknown): string {
  const containers = isRecord(spec) && Array.isArray(spec["containers"]) ? spec["containers"].filter(isRecord) : [];
  const variables = containers.flatMap(({ env }) => (Array.isArray(env) ? env.filter(isRecord) : []));
  const value = variables.find(({ name }) => name === "PHONE_NUMBER_ID")?.["value"];
  return typeof value === "string" ? value : "";
}

/** Of whatever has conditions. */
export function isReady(status: unknown): boolean {
  const conditions = isRecord(status) ? status["conditions"] : undefined;
  const list = Array.isArray(conditions) ? conditions.filter(isRecord) : [];
  return list.some(({ type, status }) => type === "Ready" && status === "True");
}
