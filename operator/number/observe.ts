// Reads everything that is known of a number. The caches answer most of it; the quality service and Secrets are asked now and then.
import { create, equals } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Client } from "#lib/grpc.ts";
import { type Number as MessagesNumber, NumberSchema } from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { QualityService } from "#proto/heliograph/quality/v1/quality_pb.ts";
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import type { Stored } from "../kinds.ts";
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
import type { Memories, NumberMemory } from "./memory.ts";
import type { NodeDrains } from "./node-drains.ts";
import { accessTokenKey, type PodInput, type PodSettings, specHashOf } from "./pod.ts";
import { askQuality } from "./quality.ts";
import type { Registered, Register } from "./register.ts";

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

/** Undefined: there is no such number. */
export type Observe = (work: Work) => Promise<Observed | undefined>;

export function numberObserver(options: ObserverOptions): Observe {
  const { watches, secrets, register, quality, settings, memories, clock } = options;
  return async ({ key, signal }) => {
    const number = watches.numbers.store.get(key);
    if (number === undefined) return undefined;
    const memory = memories.of(key);
    const { namespace = "" } = number.metadata;
    const account = watches.accounts.store.get(`${namespace}/${number.spec.accountRef.name}`);
    const tokenSecret = number.spec.credentialsRef?.name ?? account?.spec.credentialsRef.name;
    const lookAt = (name: string, field: string): Promise<SecretFacts> => secrets.look(`${namespace}/${name}`, field);
    const { pinRef } = number.spec.registration ?? {};
    const { phoneNumberId } = number.spec;
    const [token, pin, qualityAnswer] = await Promise.all([
      tokenSecret === undefined ? undefined : lookAt(tokenSecret, accessTokenKey),
      pinRef === undefined ? undefined : lookAt(pinRef.name, pinRef.key),
      askQuality({ quality, phoneNumberId, memory, nowMs: clock.monotonicMs(), signal }),
    ]);
    // From here on nothing is awaited: the rest is of one moment.
    const nowMs = clock.monotonicMs();
    const connectionClass = classOf(number, watches.classes.store);
    const podInput = podInputOf({ number, account, connectionClass, tokenSecret, settings });
    const named = podsNamed(options, key);
    const pods = named.filter(({ ownerUid }) => ownerUid === number.metadata.uid);
    const newest = pods.at(-1);
    const answer = register.get(phoneNumberId);
    seedRegistration(number, memory, pin);
    return {
      podInput,
      memory,
      facts: {
        number,
        account,
        connectionClass,
        token,
        pin,
        ...twinsOf(number, watches.numbers.store.lookup),
        register:
          answer.kind === "away"
            ? answer
            : { kind: "known", value: answer.value && toRegistered(answer.value, number, account, nowMs) },
        quality: qualityAnswer,
        registrationHash: account && hashOf(applyNumber(number, account)),
        specHash: podInput && specHashOf(podInput),
        pods: pods.map((pod) => toPodFacts(pod, options)),
        othersEpoch: Math.max(0, ...named.filter((pod) => !pods.includes(pod)).map(({ epoch }) => epoch)),
        podWaitingReason: newest?.waitingReason,
        endedUids: memories.endedUids,
        isDrainOver: options.drains.isOver(newest?.nodeName, drainMsOf(connectionClass)),
        isNewestEvictable: newest?.isEvictable ?? false,
        refusals: memory.refusals,
        usedWrittenMs: nowMs - memory.usedWrittenAtMs,
        now: new Date(clock.wallMs()),
      },
    };
  };
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
  const { epoch, specHash, nodeName, isStarted, isReady, isEnded, isRestarting, isDeleting } = pod;
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
    // The API server's clock against ours; where they differ, our own alone.
    ageMs: Math.max(clock.wallMs() - pod.createdAt.getTime(), nowMs - memories.seenSinceMs(uid, nowMs)),
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

/** The older of two wins; of the same second, the one whose uid comes first. */
function twinsOf(number: Stored<WhatsAppNumber>, lookup: Lookup): { twin: string | undefined; isShared: boolean } {
  const { phoneNumber, phoneNumberId } = number.spec;
  const isOther = ({ metadata }: Stored<WhatsAppNumber>): boolean => metadata.uid !== number.metadata.uid;
  const sameId = lookup("phoneNumberId", phoneNumberId).filter(isOther);
  const others = [...sameId, ...lookup("phoneNumber", phoneNumber).filter(isOther)];
  const older = others.find((other) => orderOf(other) < orderOf(number));
  return { twin: older && keyOf(older.metadata), isShared: sameId.length > 0 };
}

function orderOf({ metadata }: Stored<WhatsAppNumber>): string {
  return `${metadata.creationTimestamp ?? ""} ${metadata.uid}`;
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
