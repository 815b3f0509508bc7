// The facts of a number, as a replica of the operator has them: what operator/number/observe.ts makes of real caches.
import type { PodFacts, PodsFacts } from "#operator/number/facts.ts";
import { fromMark } from "#operator/number/given-up.ts";
import type { PodView } from "#operator/pod-view.ts";
import type { NumberObject } from "./api-server.ts";
import type { RegisterStream } from "./operator-register.ts";
import { numberOf, type Watches } from "./operator-watches.ts";
import type { Machine } from "./time.ts";

/** Without the turns, which the fleet gives. */
export type NumberFacts = Omit<PodsFacts, "move" | "leave" | "takeover">;

type Sources = { machine: Machine; watches: Watches; register: RegisterStream };

/** As the class has it by default. */
const standbyTimeoutMs = 300_000;

export function observe(number: NumberObject, { machine, watches, register }: Sources): NumberFacts {
  const pods = Array.from(watches.pods.values())
    .filter(({ view }) => numberOf(view) === number.name && view.ownerUid === number.uid)
    .map(({ view }) => toPodFacts(view, machine, watches))
    .sort((a, b) => a.epoch - b.epoch);
  return {
    isWanted: number.isWanted && !number.isDeleting,
    isComplete: true,
    epoch: number.status.epoch,
    podUid: number.status.podUid,
    specHash: number.specHash,
    pods,
    othersEpoch: othersEpoch(number, watches),
    endedUids: watches.endedUids,
    lease: register.factsOf(number.name),
    disruption: "Migrate",
    standbyTimeoutMs,
    now: new Date(machine.wallMs()),
  };
}

function othersEpoch({ name, uid }: NumberObject, { pods }: Watches): number {
  const others = Array.from(pods.values()).filter(({ view }) => numberOf(view) === name && view.ownerUid !== uid);
  return Math.max(0, ...others.map(({ view }) => view.epoch));
}

function toPodFacts(view: PodView, machine: Machine, { nodes, firstSeenMs }: Watches): PodFacts {
  const node = view.nodeName === undefined ? undefined : nodes.get(view.nodeName)?.view;
  const { name, uid } = view.metadata;
  const monotonicMs = machine.monotonicMs();
  const seenForMs = monotonicMs - (firstSeenMs.get(uid) ?? monotonicMs);
  const { epoch, specHash, nodeName, isStarted, isReady, isEnded, isRestarting, isDeleting, waitingReason } = view;
  return {
    name,
    uid,
    epoch,
    specHash,
    nodeName,
    isStarted,
    isReady,
    isEnded,
    isRestarting,
    isDeleting,
    waitingReason,
    gaveUp: fromMark(view.standbyGivenUp),
    ageMs: Math.max(machine.wallMs() - view.createdAt.getTime(), seenForMs),
    seenForMs,
    isNodeLost: nodeName !== undefined && (node === undefined || node.isLost),
    isNodeDraining: node?.isDraining === true,
  };
}
