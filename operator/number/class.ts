// The settings that a number's connection pod is made by.
import type { ConnectionClass } from "../api/v1alpha1/connection-class.ts";
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import type { Stored } from "../kinds.ts";
import { annotations } from "../names.ts";
import type { Store } from "../runtime/store.ts";

export type ClassSpec = ConnectionClass["spec"];

export type ClassFacts =
  /** `name` is empty for the settings that hold when there is no class at all. */
  | { kind: "found"; name: string; spec: ClassSpec; status: ConnectionClass["status"] }
  | { kind: "missing"; name: string };

/** As the CRD has them. */
export const defaultClassSpec: ClassSpec = {
  imagePullPolicy: "IfNotPresent",
  resources: { requests: { cpu: "25m", memory: "96Mi" }, limits: { memory: "192Mi" } },
  heapPercent: 60,
  topologySpreadConstraints: [
    { topologyKey: "topology.kubernetes.io/zone", whenUnsatisfiable: "ScheduleAnyway", maxSkew: 1 },
    { topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway", maxSkew: 1 },
  ],
  terminationGracePeriodSeconds: 45,
  surge: { percent: 1, min: 1, max: 50 },
  canary: { count: 1, pauseSeconds: 300 },
  takeover: { standbyTimeoutSeconds: 300, unreachableSeconds: 3_600 },
  drainSeconds: 1_800,
};

type Classes = Pick<Store<Stored<ConnectionClass>>, "get" | "objects">;

export function classOf({ spec }: WhatsAppNumber, classes: Classes): ClassFacts {
  const { connectionClassName: name } = spec;
  const found = name === undefined ? defaultClass(classes) : classes.get(name);
  if (found !== undefined) return { kind: "found", name: found.metadata.name, spec: found.spec, status: found.status };
  return name === undefined
    ? { kind: "found", name: "", spec: defaultClassSpec, status: undefined }
    : { kind: "missing", name };
}

export function isDefaultClass({ metadata }: Stored<ConnectionClass>): boolean {
  return metadata.annotations?.[annotations.isDefaultClass] === "true";
}

/** Of several the newest. */
function defaultClass(classes: Classes): Stored<ConnectionClass> | undefined {
  const [newest] = Array.from(classes.objects())
    .filter(isDefaultClass)
    .sort((a, b) => orderOf(b).localeCompare(orderOf(a)));
  return newest;
}

function orderOf({ metadata }: Stored<ConnectionClass>): string {
  return `${metadata.creationTimestamp ?? ""} ${metadata.uid}`;
}
