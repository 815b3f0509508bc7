// Everything that a decision about a number may look at. Read by observe.ts, decided on by plan.ts; no client, no clock in here.
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import type { Stored } from "../kinds.ts";
import type { SecretFacts } from "../secrets.ts";
import type { ClassFacts } from "./class.ts";

/** What a service said, or that it did not answer. */
export type Answer<T> = { kind: "known"; value: T } | { kind: "away"; service: string; why: string };

export type PodFacts = {
  name: string;
  uid: string;
  epoch: number;
  /** Of the spec that it was made from. */
  specHash: string;
  nodeName: string | undefined;
  ageMs: number;
  /** How long this process has known it, by its own clock alone. */
  seenForMs: number;
  /** Its process is up; one that waits for the lease counts. */
  isStarted: boolean;
  /** Holds the lease and WhatsApp knows it. */
  isReady: boolean;
  /**
   * The kubelet said of every container that it ended, and will start none again. The phase alone proves nothing: the pod garbage
   * collector writes Failed over pods whose node it cannot see.
   */
  isEnded: boolean;
  /** A container is between two starts: the kubelet is alive and has it in hand. */
  isRestarting: boolean;
  isDeleting: boolean;
  /** Its node does not answer, or is no more. */
  isNodeLost: boolean;
  /** Its node is to be emptied. */
  isNodeDraining: boolean;
  /** Why a container of it does not start, in Kubernetes' word. */
  waitingReason: string | undefined;
  /** It serves on, since its successor did not take the number over in time. */
  gaveUp: GivenUp | undefined;
};

/** A standby that was given up, as it is written on the pod that serves on. */
export type GivenUp = {
  /** Of the standby. */
  epoch: number;
  specHash: string;
  /** With this spec, in a row. */
  tries: number;
  /** What the standby was found at. */
  why: string;
  /** From then on another one may be tried. */
  retryAt: Date;
};

export type LeaseFacts = {
  epoch: number;
  term: bigint;
  /** UID of the pod. */
  holder: string;
  isHeld: boolean;
  /** By this process' own clock, since it was first seen that nobody renewed it; undefined: it is renewed, or was given back. */
  lapsedForMs: number | undefined;
};

/** Whether one more planned move, or one more takeover of a silent pod, may begin now. */
export type Turn = { isAllowed: true } | { isAllowed: false; why: string };

/** What decides over a number's pods. */
export type PodsFacts = {
  /** A pod is to hold the number. */
  isWanted: boolean;
  /** What a new pod needs is there; without it none is made, and none that runs is touched. */
  isComplete: boolean;
  /** Of the status; 0 before the first pod. */
  epoch: number;
  /** UID of that epoch's pod, once it was seen. */
  podUid: string | undefined;
  /** Of the pod that the number would get now. */
  specHash: string;
  pods: readonly PodFacts[];
  /** The highest epoch of pods that an earlier resource of the same name has left; 0: there are none. */
  othersEpoch: number;
  /** UIDs of pods that ended under our eyes: deleted with a grace period, every container terminated. */
  endedUids: ReadonlySet<string>;
  lease: Answer<LeaseFacts | undefined>;
  /** For a change of the spec, for leaving a node that drains, and for a takeover of a pod that has gone silent. */
  move: Turn;
  leave: Turn;
  takeover: Turn;
  disruption: "Migrate" | "Block";
  /** So long a pod may take until it has the lease that another one gives up for it. */
  standbyTimeoutMs: number;
  now: Date;
};

/** What the services know of the number. */
export type RegisteredFacts = {
  /** Just as the resource declares it. */
  isAsDeclared: boolean;
  connection: (LeaseFacts & { address: string; since: Date | undefined; standing: string }) | undefined;
};

/** In WhatsApp's words. */
export type QualityFacts = {
  rating: string;
  status: string;
  limitTier: string;
  /** Undefined: unlimited, or not told. */
  limit: bigint | undefined;
  used: bigint;
  throughput: string;
  nameStatus: string;
  verifiedName: string;
};

/** What was refused when it was last tried; held in memory, since what follows from it stands in the conditions. */
/** Not tried again with the same PIN before then: WhatsApp counts registrations. */
export type Registration = { pinHash: string; retryAt: Date };

export type Refusals = {
  /** By the messages service. */
  apply?: { reason: string; message: string } | undefined;
  /** By the API server, of a pod of this spec; nobody is moved to it again before then. */
  pod?: { specHash: string; message: string; retryAt: Date } | undefined;
  /** By WhatsApp, of the PIN with this hash; not tried again before then. */
  registration?: { reason: string; message: string; pinHash: string; retryAt: Date } | undefined;
  deregistration?: { tries: number; message: string } | undefined;
};

/** Everything about one number. */
export type NumberFacts = {
  number: Stored<WhatsAppNumber>;
  account: WhatsAppBusinessAccount | undefined;
  connectionClass: ClassFacts;
  /** Of the access token; undefined: nobody knows in which Secret it is, since the account is missing. */
  token: SecretFacts | undefined;
  /** Undefined: the resource names none. */
  pin: SecretFacts | undefined;
  /** The older resource with the same phone number or id. */
  twin: string | undefined;
  /** Another resource has the same id. */
  isShared: boolean;
  register: Answer<RegisteredFacts | undefined>;
  quality: Answer<QualityFacts | undefined>;
  /** Fingerprints of what the services are to know, and of the pod that it would get now; undefined: something for it is missing. */
  registrationHash: string | undefined;
  specHash: string | undefined;
  pods: readonly PodFacts[];
  /** The highest epoch of pods that an earlier resource of the same name has left; 0: there are none. */
  othersEpoch: number;
  endedUids: ReadonlySet<string>;
  /** The node of the newest pod has been draining for longer than the class lets it wait. */
  isDrainOver: boolean;
  /** Its label lets an eviction pass. */
  isNewestEvictable: boolean;
  refusals: Refusals;
  /** WhatsApp took this PIN; what shows it may still be on its way. */
  registration: Registration | undefined;
  move: Turn;
  leave: Turn;
  takeover: Turn;
  /** Since the used part of the limit was last written. */
  usedWrittenMs: number;
  now: Date;
};
