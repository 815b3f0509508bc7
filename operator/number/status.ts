// The whole status of a number, made anew from facts each time; it is written only where it differs from the stored one.
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import { type Condition, pausedConditions, sayForTools, toConditions, toSeconds } from "../conditions.ts";
import { annotations, finalizers } from "../names.ts";
import {
  findHolder,
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
  telling,
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
  return { ...number.status, conditions: pausedConditions(number, now) };
}

/** The same status with the next epoch, whose pod is about to be made. */
export function withEpoch({ connection: _, ...status }: NumberStatus, numberName: string, epoch: number): NumberStatus {
  return { ...status, connection: { epoch, podName: podNameOf(numberName, epoch) } };
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
  const connectedSince = lease.since && toSeconds(lease.since);
  return { connection: { ...own, ...withoutNothing({ address: lease.address || undefined, connectedSince }) } };
}

function conditionsOf(facts: NumberFacts, pods: PodsPlan | undefined): Condition[] {
  const { number, now } = facts;
  const before = (type: string): Condition | undefined => number.status?.conditions?.find((each) => each.type === type);
  const fenced = isFenced(number);
  const registered = sayRegistered(facts, before("Registered"));
  const connected = sayConnected(facts, fenced, pods);
  const unwanted = findUnwanted(facts, fenced);
  const progressing = sayProgressing(facts, { connected, unwanted }, pods);
  const ready = sayReady(facts, { registered, connected, unwanted });
  const state = stateOf(ready, progressing);
  const spoken = {
    Ready: ready,
    Registered: registered,
    Connected: connected,
    Progressing: progressing,
    Degraded: sayDegraded(facts, connected),
    Conflict: sayConflict(facts, connected, before("Conflict")),
    ReconciliationPaused: said("False", "NotPaused"),
    ...sayForTools(state === "working" && progressing.status === "True" ? progressing : ready, state),
  };
  return toConditions(spoken, number, now);
}

type Spoken = { registered: Said; connected: Said; unwanted: Said | undefined };

function sayReady(facts: NumberFacts, { registered, connected, unwanted }: Spoken): Said {
  const { deregistration } = facts.refusals;
  if (unwanted?.reason === "Deleting") {
    const isOver = deregistration !== undefined && deregistration.tries >= mostTries;
    return isOver ? said("False", "DeregistrationFailed", deregistration.message) : (findStuck(facts) ?? unwanted);
  }
  const missing = findMissing(facts);
  if (unwanted !== undefined) return missing ?? sayAtRest(facts, registered, unwanted);
  if (missing !== undefined) return missing;
  if (registered.status !== "True" && registered.reason !== "NotKnown") return registered;
  if (connected.status !== "True") return connected;
  return registered.status === "True" ? said("True", "Ready", "the number can send and receive") : registered;
}

/** What keeps a number from having the process that would deregister it: waiting alone brings nothing. */
function findStuck(facts: NumberFacts): Said | undefined {
  const { metadata, spec } = facts.number;
  const isToDeregister =
    spec.deletionPolicy === "Delete" && metadata.finalizers?.includes(finalizers.upstream) === true;
  const missing = isToDeregister ? findMissing(facts) : undefined;
  if (missing === undefined) return undefined;
  const way = "or set spec.deletionPolicy to Retain: the resource then goes and the number stays registered";
  return said("False", "DeregistrationFailed", `the number cannot be deregistered: ${missing.message}; ${way}`);
}

/** A number that no process is to hold is what it was told to be once none does: who waits for it has waited long enough. */
function sayAtRest(facts: NumberFacts, registered: Said, { reason, message }: Said): Said {
  const { register } = facts;
  if (register.kind === "away") return registered;
  if (register.value === undefined)
    return registered.status === "True" ? said("Unknown", "Registering", telling) : registered;
  return said(findHolder(facts) === undefined ? "True" : "False", reason, message);
}

/** Deregistration is not tried more often. */
export const mostTries = 5;

/** For kstatus. */
function stateOf(ready: Said, progressing: Said): "settled" | "working" | "stalled" {
  if (stalling.has(ready.reason)) return "stalled";
  return ready.status === "True" && progressing.status !== "True" ? "settled" : "working";
}

/** The pod that the number is to have, if it is there. */
export function newestOf(pods: readonly PodFacts[]): PodFacts | undefined {
  return pods.reduce<PodFacts | undefined>(
    (newest, pod) => (newest === undefined || pod.epoch > newest.epoch ? pod : newest),
    undefined,
  );
}
