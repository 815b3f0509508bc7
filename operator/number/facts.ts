// Everything that a decision about a number may look at. Read by observe.ts, decided on by plan.ts; no client, no clock in here.

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
  /** UIDs of pods that ended under our eyes: deleted with a grace period, every container terminated. */
  endedUids: ReadonlySet<string>;
  lease: Answer<LeaseFacts | undefined>;
  /** For a planned move, and for a takeover of a pod that has gone silent. */
  move: Turn;
  takeover: Turn;
  disruption: "Migrate" | "Block";
};
