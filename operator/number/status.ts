// The whole status of a number, made anew from facts each time; it is written only where it differs from the stored one.
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import { annotations } from "../names.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import {
  type Condition,
  type Conditions,
  findMissing,
  findUnwanted,
  type Reason,
  type Said,
  said,
  sayConflict,
  sayConnected,
  sayDegraded,
  sayProgressing,
  sayRegistered,
} from "./conditions.ts";
import type { NumberFacts, PodFacts } from "./facts.ts";
import { podNameOf } from "./pod.ts";
import type { PodsPlan } from "./pods.ts";
import { limitOf, maskedPhoneNumber, toRating, toWord, usedOf } from "./words.ts";

export type NumberStatus = NonNullable<WhatsAppNumber["status"]>;

/** A person must act. */
const stalling: ReadonlySet<Reason> = new Set<Reason>([
  "NumberInUse",
  "AccountMissing",
  "ClassMissing",
  "SecretMissing",
  "NumberRefused",
  "NotRegistered",
  "PinMissing",
  "PinWrong",
  "NumberUnverified",
  "RegistrationLimit",
  "DeregistrationFailed",
  "Conflict",
  "TokenRefused",
  "PodRefused",
]);

export function isPaused({ metadata }: NumberFacts["number"]): boolean {
  return metadata.annotations?.[annotations.paused] === "true";
}

export function isFenced({ metadata }: NumberFacts["number"]): boolean {
  return metadata.annotations?.[annotations.fence] === "true";
}

/** `pods` is what is going to be done; undefined: nothing is, because something before it is in the way. */
export function statusOf(facts: NumberFacts, pods: PodsPlan | undefined): NumberStatus {
  const { number, registrationHash, register } = facts;
  const before = number.status ?? {};
  const isKnownAsDeclared = register.kind === "known" && register.value?.isAsDeclared === true;
  const registeredHash = isKnownAsDeclared ? registrationHash : before.registeredHash;
  return {
    ...(number.metadata.generation !== undefined && { observedGeneration: number.metadata.generation }),
    maskedPhoneNumber: maskedPhoneNumber(number.spec.phoneNumber),
    ...qualityOf(facts, before),
    ...(registeredHash !== undefined && { registeredHash }),
    ...connectionOf(facts, before),
    conditions: conditionsOf(facts, pods),
  };
}

/** All that there was, and that nothing is done. */
export function pausedStatus({ number, now }: NumberFacts): NumberStatus {
  const before = number.status ?? {};
  const spoken = { ReconciliationPaused: said("True", "Paused", "the annotation heliograph.dev/paused is set") };
  const kept = (before.conditions ?? []).filter(({ type }) => type !== "ReconciliationPaused");
  const conditions = [...kept, ...toConditions(spoken, number, now)];
  return { ...before, conditions: conditions.sort(byType) };
}

/** The same status with the next epoch, whose pod is about to be made. */
export function withEpoch({ connection: _, ...status }: NumberStatus, numberName: string, epoch: number): NumberStatus {
  return { ...status, connection: { epoch, podName: podNameOf(numberName, epoch) } };
}

/** Conditions and all; the order of fields does not count. */
export function isSameStatus(a: NumberStatus | undefined, b: NumberStatus | undefined): boolean {
  return hashOf(a ?? {}) === hashOf(b ?? {});
}

function qualityOf({ quality, usedWrittenMs }: NumberFacts, before: NumberStatus): NumberStatus {
  const { verifiedName, nameStatus, standing, throughput, qualityRating, messagingLimit, messagingLimitUsed } = before;
  const kept = { verifiedName, nameStatus, standing, throughput, qualityRating, messagingLimit, messagingLimitUsed };
  if (quality.kind === "away" || quality.value === undefined) return withoutNothing(kept);
  const { value } = quality;
  return withoutNothing({
    verifiedName: value.verifiedName.slice(0, 512) || undefined,
    nameStatus: toWord(value.nameStatus),
    standing: toWord(value.status),
    throughput: toWord(value.throughput),
    qualityRating: toRating(value.rating),
    messagingLimit: limitOf(value),
    messagingLimitUsed: usedOf(value, messagingLimitUsed, usedWrittenMs),
  });
}

type Loose<T> = { [Field in keyof T]?: T[Field] | undefined };

function withoutNothing<T extends object>(fields: Loose<T>): T;
function withoutNothing(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function connectionOf(facts: NumberFacts, before: NumberStatus): Pick<NumberStatus, "connection"> {
  const { number, register, pods } = facts;
  const epoch = before.connection?.epoch;
  if (epoch === undefined) return {};
  const pod = pods.find((candidate) => candidate.epoch === epoch);
  const podUid = pod?.uid ?? before.connection?.podUid;
  const nodeName = pod?.nodeName ?? (podUid === before.connection?.podUid ? before.connection?.nodeName : undefined);
  const own: NonNullable<NumberStatus["connection"]> = {
    epoch,
    podName: podNameOf(number.metadata.name, epoch),
    ...(podUid !== undefined && { podUid }),
    ...(nodeName !== undefined && { nodeName }),
  };
  if (register.kind === "away") {
    const { address, connectedSince } = before.connection ?? {};
    return { connection: { ...own, ...withoutNothing({ address, connectedSince }) } };
  }
  const lease = register.value?.connection;
  if (lease?.isHeld !== true || lease.lapsedForMs !== undefined) return { connection: own };
  const connectedSince = lease.since?.toISOString().replace(/\.\d+Z$/, "Z");
  return { connection: { ...own, ...withoutNothing({ address: lease.address || undefined, connectedSince }) } };
}

function conditionsOf(facts: NumberFacts, pods: PodsPlan | undefined): Conditions {
  const { number, now } = facts;
  const before = (type: string): Condition | undefined => number.status?.conditions?.find((each) => each.type === type);
  const fenced = isFenced(number);
  const registered = sayRegistered(facts, before("Registered"));
  const connected = sayConnected(facts, fenced, pods);
  const unwanted = findUnwanted(facts, fenced);
  const progressing = sayProgressing(facts, { connected, unwanted }, pods);
  const ready = sayReady(facts, fenced, registered, connected);
  return toConditions(
    {
      Ready: ready,
      Registered: registered,
      Connected: connected,
      Progressing: progressing,
      Degraded: sayDegraded(facts, connected),
      Conflict: sayConflict(facts, connected, before("Conflict")),
      ReconciliationPaused: said("False", "NotPaused"),
      ...sayForTools(ready, progressing, unwanted),
    },
    number,
    now,
  ).sort(byType);
}

function sayReady(facts: NumberFacts, fenced: boolean, registered: Said, connected: Said): Said {
  const { number, refusals } = facts;
  const { deregistration } = refusals;
  if (
    number.metadata.deletionTimestamp !== undefined &&
    deregistration !== undefined &&
    deregistration.tries >= mostTries
  )
    return said("False", "DeregistrationFailed", deregistration.message);
  const inTheWay = findUnwanted(facts, fenced) ?? findMissing(facts);
  if (inTheWay !== undefined) return inTheWay;
  if (registered.status !== "True" && registered.reason !== "NotKnown") return registered;
  if (connected.status !== "True") return connected;
  return registered.status === "True" ? said("True", "Ready", "the number can send and receive") : registered;
}

/** Deregistration is not tried more often. */
export const mostTries = 5;

/** For kstatus: helm, Flux and Argo wait by these. */
function sayForTools(ready: Said, progressing: Said, unwanted: Said | undefined): Record<string, Said> {
  const isStalled = stalling.has(ready.reason);
  const isWorking =
    !isStalled && (progressing.status === "True" || (ready.status !== "True" && unwanted === undefined));
  return {
    Reconciling: isWorking
      ? said("True", progressing.status === "True" ? progressing.reason : ready.reason, ready.message)
      : said("False", "NothingToDo"),
    Stalled: isStalled ? said("True", ready.reason, ready.message) : said("False", "NothingToDo"),
  };
}

/** lastTransitionTime changes only where the status does. */
function toConditions(
  spoken: Record<string, Said>,
  { metadata, status }: NumberFacts["number"],
  now: Date,
): Conditions {
  return Object.entries(spoken).map(([type, { status: next, reason, message }]) => {
    const before = status?.conditions?.find((condition) => condition.type === type);
    const isSame = before?.status === next;
    return {
      type,
      status: next,
      reason,
      message: message.slice(0, 1_024),
      lastTransitionTime: isSame ? before.lastTransitionTime : now.toISOString().replace(/\.\d+Z$/, "Z"),
      ...(metadata.generation !== undefined && { observedGeneration: metadata.generation }),
    };
  });
}

function byType(a: Condition, b: Condition): number {
  return a.type < b.type ? -1 : 1;
}

/** The pod that the number is to have, if it is there. */
export function newestOf(pods: readonly PodFacts[]): PodFacts | undefined {
  return pods.reduce<PodFacts | undefined>(
    (newest, pod) => (newest === undefined || pod.epoch > newest.epoch ? pod : newest),
    undefined,
  );
}
