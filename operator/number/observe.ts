// Reads everything that is known of a number. The caches answer most of it; the quality service and Secrets are asked now and then.
import { create, equals } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Client } from "#lib/grpc.ts";
import { type Number as MessagesNumber, NumberSchema } from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { QualityService } from "#proto/heliograph/quality/v1/quality_pb.ts";
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import type { Stored } from "../kinds.ts";
import { findOlder } from "../older.ts";
import type { PodView } from "../pod-view.ts";
import { applyNumber } from "../registration.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Work } from "../runtime/controller.ts";
import { type Key, keyOf } from "../runtime/objects.ts";
import type { SecretFacts, Secrets } from "../secrets.ts";
import type { Watches } from "../watches.ts";
import { type ClassFacts, classOf } from "./class.ts";
import type { NumberFacts, PodFacts, RegisteredFacts } from "./facts.ts";
import { fromMark } from "./given-up.ts";
import type { Memories, NumberMemory } from "./memory.ts";
import type { NodeDrains } from "./node-drains.ts";
import { accessTokenKey, type PodInput, type PodSettings, specHashOf } from "./pod.ts";
import { askQuality } from "./quality.ts";
import type { Registered, Register } from "./register.ts";
import type { CountedFacts } from "./standing.ts";

/** Facts, and what the pod would be made of; the turns are not given yet. */
export type Observed = {
  facts: Omit<NumberFacts, "move" | "leave" | "takeover">;
  podInput: PodInput | undefined;
  memory: NumberMemory;
};

type ObserverOptions = {
  watches: Pick<Watches, "numbers" | "accounts" | "classes" | "pods" | "nodes">;
  drains: NodeDrains;
  secrets: Pick<Secrets, "look">;
  register: Register;
  quality: Pick<Client<typeof QualityService>, "getNumberQuality">;
  settings: PodSettings;
  memories: Memories;
  clock: Clock;
};

export type Observer = {
  /** Undefined: there is no such number. */
  observe(work: Work): Promise<Observed | undefined>;
  /** What the caches know of it. */
  count(number: Stored<WhatsAppNumber>): CountedFacts;
};

export function numberObserver(options: ObserverOptions): Observer {
  return {
    count: (number) => lookUp(options, number).counted,
    async observe({ key, signal }) {
      const number = options.watches.numbers.store.get(key);
      return number && observe(options, number, key, signal);
    },
  };
}

async function observe(
  options: ObserverOptions,
  number: Stored<WhatsAppNumber>,
  key: Key,
  signal: AbortSignal,
): Promise<Observed> {
  const { watches, secrets, quality, drains, memories, clock } = options;
  const memory = memories.of(key);
  const { namespace = "" } = number.metadata;
  const tokenSecret = tokenSecretOf(number, accountOf(options, number));
  const lookAt = (name: string, field: string): Promise<SecretFacts> => secrets.look(`${namespace}/${name}`, field);
  const { pinRef } = number.spec.registration ?? {};
  const { phoneNumberId } = number.spec;
  const [token, pin, qualityAnswer] = await Promise.all([
    tokenSecret === undefined ? undefined : lookAt(tokenSecret, accessTokenKey),
    pinRef === undefined ? undefined : lookAt(pinRef.name, pinRef.key),
    askQuality({ quality, phoneNumberId, memory, nowMs: clock.monotonicMs(), signal }),
  ]);
  // From here on nothing is awaited: the rest is of one moment.
  const { account, podInput, counted, newest, othersEpoch } = lookUp(options, number);
  seedRegistration(number, memory, pin);
  return {
    podInput,
    memory,
    facts: {
      ...counted,
      account,
      token,
      pin,
      ...twinsOf(number, watches.numbers.store.lookup),
      quality: qualityAnswer,
      registrationHash: account && hashOf(applyNumber(number, account)),
      othersEpoch,
      endedUids: memories.endedUids,
      isDrainOver: drains.isOver(newest?.nodeName, drainMsOf(counted.connectionClass)),
      isNewestEvictable: newest?.isEvictable ?? false,
      refusals: memory.refusals,
      registration: memory.registration,
      usedWrittenMs: clock.monotonicMs() - memory.usedWrittenAtMs,
      now: new Date(clock.wallMs()),
    },
  };
}

type LookedUp = {
  account: Stored<WhatsAppBusinessAccount> | undefined;
  podInput: PodInput | undefined;
  counted: CountedFacts;
  newest: PodView | undefined;
  othersEpoch: number;
};

/** In the caches alone. */
function lookUp(options: ObserverOptions, number: Stored<WhatsAppNumber>): LookedUp {
  const { watches, register, settings, clock } = options;
  const account = accountOf(options, number);
  const connectionClass = classOf(number, watches.classes.store);
  const tokenSecret = tokenSecretOf(number, account);
  const podInput = podInputOf({ number, account, connectionClass, tokenSecret, settings });
  const named = podsNamed(options, keyOf(number.metadata));
  const pods = named.filter(({ ownerUid }) => ownerUid === number.metadata.uid);
  const answer = register.get(number.spec.phoneNumberId);
  const value =
    answer.kind === "away"
      ? undefined
      : answer.value && toRegistered(answer.value, number, account, clock.monotonicMs());
  return {
    account,
    podInput,
    counted: {
      number,
      connectionClass,
      register: answer.kind === "away" ? answer : { kind: "known", value },
      pods: pods.map((pod) => toPodFacts(pod, options)),
      specHash: podInput && specHashOf(podInput),
    },
    newest: pods.at(-1),
    othersEpoch: Math.max(0, ...named.filter((pod) => !pods.includes(pod)).map(({ epoch }) => epoch)),
  };
}

function accountOf({ watches }: ObserverOptions, { metadata, spec }: Stored<WhatsAppNumber>) {
  return watches.accounts.store.get(`${metadata.namespace ?? ""}/${spec.accountRef.name}`);
}

function tokenSecretOf({ spec }: WhatsAppNumber, account: WhatsAppBusinessAccount | undefined): string | undefined {
  return spec.credentialsRef?.name ?? account?.spec.credentialsRef.name;
}

function drainMsOf(connectionClass: ClassFacts): number {
  return connectionClass.kind === "found" ? connectionClass.spec.drainSeconds * 1_000 : Infinity;
}

type Ingredients = {
  number: Stored<WhatsAppNumber>;
  account: WhatsAppBusinessAccount | undefined;
  connectionClass: ClassFacts;
  tokenSecret: string | undefined;
  settings: PodSettings;
};

function podInputOf({ number, account, connectionClass, tokenSecret, settings }: Ingredients): PodInput | undefined {
  if (account === undefined || connectionClass.kind === "missing" || tokenSecret === undefined) return undefined;
  return { number, classSpec: connectionClass.spec, settings, tokenSecret, upstreamUrl: account.spec.upstreamUrl };
}

/** Of this and of earlier resources of the name, the oldest epoch first. */
function podsNamed({ watches }: ObserverOptions, key: Key): PodView[] {
  return watches.pods.store
    .lookup("number", key)
    .filter(({ epoch }) => Number.isInteger(epoch))
    .sort((a, b) => a.epoch - b.epoch);
}

function toPodFacts(pod: PodView, { watches, clock, memories }: ObserverOptions): PodFacts {
  const nowMs = clock.monotonicMs();
  const node = pod.nodeName === undefined ? undefined : watches.nodes.store.get(pod.nodeName);
  const { name, uid } = pod.metadata;
  const seenForMs = nowMs - memories.seenSinceMs(uid, nowMs);
  const { epoch, specHash, nodeName, isStarted, isReady, isEnded, isRestarting, isDeleting, waitingReason } = pod;
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
    gaveUp: fromMark(pod.standbyGivenUp),
    // The API server's clock against ours; where they differ, our own alone.
    ageMs: Math.max(clock.wallMs() - pod.createdAt.getTime(), seenForMs),
    seenForMs,
    isNodeLost: nodeName !== undefined && (node === undefined || node.isLost),
    isNodeDraining: node?.isDraining === true,
  };
}

function toRegistered(
  { number, lapsedSinceMs }: Registered,
  resource: Stored<WhatsAppNumber>,
  account: WhatsAppBusinessAccount | undefined,
  nowMs: number,
): RegisteredFacts {
  const { connection } = number;
  return {
    isAsDeclared: account !== undefined && isAsDeclared(number, resource, account),
    connection: connection && {
      epoch: Number(connection.epoch),
      term: connection.term,
      holder: connection.holder,
      isHeld: connection.connected || connection.lapsed,
      lapsedForMs: lapsedSinceMs === undefined ? undefined : nowMs - lapsedSinceMs,
      address: connection.address,
      since: connection.since && timestampDate(connection.since),
      standing: connection.standing,
    },
  };
}

function isAsDeclared(
  { connection: _, ...known }: MessagesNumber,
  resource: Stored<WhatsAppNumber>,
  account: WhatsAppBusinessAccount,
): boolean {
  const { number: declared } = applyNumber(resource, account);
  return declared !== undefined && equals(NumberSchema, create(NumberSchema, known), create(NumberSchema, declared));
}

type Lookup = Watches["numbers"]["store"]["lookup"];

function twinsOf(number: Stored<WhatsAppNumber>, lookup: Lookup): { twin: string | undefined; isShared: boolean } {
  const { phoneNumber, phoneNumberId } = number.spec;
  const sameId = lookup("phoneNumberId", phoneNumberId);
  const isShared = sameId.some(({ metadata }) => metadata.uid !== number.metadata.uid);
  return { twin: findOlder(number, [...sameId, ...lookup("phoneNumber", phoneNumber)]), isShared };
}

const seededRetryMs = 6 * 3_600_000;
const registrationRefusals: Record<string, string> = {
  PinWrong: "pin_wrong",
  NumberUnverified: "number_unverified",
  RegistrationLimit: "registration_limit",
};

/** An operator that starts anew does not spend one of WhatsApp's ten tries on what its predecessor was told. */
function seedRegistration(number: Stored<WhatsAppNumber>, memory: NumberMemory, pin: SecretFacts | undefined): void {
  const told = number.status?.conditions?.find(({ type }) => type === "Registered");
  const reason = told?.status === "False" ? registrationRefusals[told.reason] : undefined;
  if (memory.refusals.registration !== undefined || reason === undefined || pin?.kind !== "present") return;
  const retryAt = new Date(Date.parse(told?.lastTransitionTime ?? "") + seededRetryMs);
  memory.refusals.registration = { reason, message: told?.message ?? "", pinHash: pin.hash, retryAt };
}
