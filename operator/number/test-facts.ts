// Facts of a number that is well, and any others.
import fc from "fast-check";
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import type { Stored } from "../kinds.ts";
import { finalizers } from "../names.ts";
import { hashOf } from "../runtime/apply-hash.ts";
import { defaultClassSpec } from "./class.ts";
import type { NumberFacts, PodFacts, QualityFacts, RegisteredFacts } from "./facts.ts";
import type { PodSettings } from "./pod.ts";

export const now = new Date("2026-03-02T10:00:00.500Z");

export const account: WhatsAppBusinessAccount = {
  apiVersion: "heliograph.dev/v1alpha1",
  kind: "WhatsAppBusinessAccount",
  metadata: { name: "fjord" },
  spec: { wabaId: "500", credentialsRef: { name: "fjord" } },
};

export const settings: PodSettings = {
  image: "heliograph:1",
  version: "1",
  serviceAccountName: undefined,
  upstreamUrl: undefined,
  addresses: {
    MESSAGES_ADDRESS: "messages:9090",
    TEMPLATES_ADDRESS: "templates:9090",
    BILLING_ADDRESS: "billing:9090",
    QUALITY_ADDRESS: "quality:9090",
    NATS_URL: "nats://nats:4222",
  },
};

type Changes = {
  spec?: Partial<WhatsAppNumber["spec"]>;
  metadata?: Partial<Stored<WhatsAppNumber>["metadata"]>;
  status?: WhatsAppNumber["status"];
};

export function numberWith({ spec, metadata, status }: Changes = {}): Stored<WhatsAppNumber> {
  return {
    apiVersion: "heliograph.dev/v1alpha1",
    kind: "WhatsAppNumber",
    metadata: {
      name: "orders",
      namespace: "shop",
      uid: "uid",
      resourceVersion: "1",
      generation: 4,
      finalizers: [finalizers.number],
      ...metadata,
    },
    spec: {
      accountRef: { name: "fjord" },
      phoneNumberId: "9001",
      phoneNumber: "+15550100001",
      desiredState: "Connected",
      messagesPerSecond: 20,
      queueLimit: 100,
      messageTtlSeconds: 3_600,
      unknownPolicy: "Fail",
      unknownTimeoutSeconds: 600,
      contentPolicy: "Store",
      disruption: { policy: "Migrate" },
      deletionPolicy: "Retain",
      ...spec,
    },
    status: { connection: { epoch: 3, podName: "orders-c3", podUid: "uid-3" }, ...status },
  };
}

export function podWith(epoch: number, changes: Partial<PodFacts> = {}): PodFacts {
  return {
    name: `orders-c${epoch}`,
    uid: `uid-${epoch}`,
    epoch,
    specHash: "spec",
    nodeName: "node-1",
    ageMs: 600_000,
    seenForMs: 600_000,
    isStarted: true,
    isReady: true,
    isEnded: false,
    isRestarting: false,
    isDeleting: false,
    isNodeLost: false,
    isNodeDraining: false,
    waitingReason: undefined,
    gaveUp: undefined,
    ...changes,
  };
}

export type Connection = NonNullable<RegisteredFacts["connection"]>;

export function connectionWith(changes: Partial<Connection> = {}): Connection {
  return {
    epoch: 3,
    term: 7n,
    holder: "uid-3",
    isHeld: true,
    lapsedForMs: undefined,
    address: "10.0.0.1:9090",
    since: new Date("2026-03-02T09:00:00Z"),
    standing: "",
    ...changes,
  };
}

export function registered(changes: Partial<Connection> = {}): NumberFacts["register"] {
  return { kind: "known", value: { isAsDeclared: true, connection: connectionWith(changes) } };
}

/** The order of fields does not count. */
export function isSameStatus(a: WhatsAppNumber["status"], b: WhatsAppNumber["status"]): boolean {
  return hashOf(a ?? {}) === hashOf(b ?? {});
}

export const quality: QualityFacts = {
  rating: "GREEN",
  status: "CONNECTED",
  limitTier: "TIER_1K",
  limit: 1_000n,
  used: 120n,
  throughput: "STANDARD",
  nameStatus: "APPROVED",
  verifiedName: "Fjord",
};

/** Connected and Ready, with nothing to do. */
export function factsWith(changes: Partial<NumberFacts> = {}): NumberFacts {
  return {
    number: numberWith(),
    account,
    connectionClass: { kind: "found", name: "", spec: defaultClassSpec, status: undefined },
    token: { kind: "present", hash: "token" },
    pin: undefined,
    twin: undefined,
    isShared: false,
    register: registered(),
    quality: { kind: "known", value: quality },
    registrationHash: "registration",
    specHash: "spec",
    pods: [podWith(3)],
    othersEpoch: 0,
    endedUids: new Set(),
    isDrainOver: false,
    isNewestEvictable: false,
    refusals: {},
    registration: undefined,
    move: { isAllowed: true },
    leave: { isAllowed: true },
    takeover: { isAllowed: true },
    usedWrittenMs: 0,
    now,
    ...changes,
  };
}

const away = { kind: "away", service: "messages", why: "no connection" } as const;
const missing = { kind: "missing", why: "secret shop/x does not exist" } as const;
const present = { kind: "present", hash: "hash" } as const;

const anyNumber = fc
  .record({
    desiredState: fc.constantFrom("Connected", "Disconnected"),
    deletionPolicy: fc.constantFrom("Retain", "Delete"),
    isDeleting: fc.boolean(),
    annotation: fc.constantFrom(undefined, "heliograph.dev/paused", "heliograph.dev/fence"),
    finalizers: fc.subarray([finalizers.number, finalizers.upstream, "example.com/other"]),
    hasPin: fc.boolean(),
    status: fc.constantFrom<WhatsAppNumber["status"]>({}, undefined, { connection: {} }, { conditions: [] }),
  })
  .map(({ desiredState, deletionPolicy, isDeleting, annotation, finalizers: present_, hasPin, status }) =>
    numberWith({
      spec: {
        desiredState,
        deletionPolicy,
        ...(hasPin && { registration: { pinRef: { name: "pins", key: "pin" } } }),
      },
      metadata: {
        finalizers: present_,
        ...(isDeleting && { deletionTimestamp: "2026-03-02T09:59:00Z" }),
        ...(annotation !== undefined && { annotations: { [annotation]: "true" } }),
      },
      ...(status !== undefined && { status }),
    }),
  );

const anyConnection: fc.Arbitrary<Connection> = fc
  .record({
    epoch: fc.integer({ min: 1, max: 4 }),
    isHeld: fc.boolean(),
    lapsedForMs: fc.constantFrom(undefined, 0, 60_000),
    standing: fc.constantFrom("", "not_registered", "conflict", "token_refused", "upstream_away", "other"),
    address: fc.constantFrom("", "10.0.0.1:9090"),
  })
  .map((changes) => connectionWith({ ...changes, holder: `uid-${changes.epoch}` }));

const anyPods = fc
  .subarray([1, 2, 3, 4])
  .chain((epochs) =>
    fc.tuple(
      ...epochs.map((epoch) =>
        fc
          .record({ isReady: fc.boolean(), isEnded: fc.boolean(), isDeleting: fc.boolean(), isNodeLost: fc.boolean() })
          .map((changes) => podWith(epoch, changes)),
      ),
    ),
  );

/** Whatever can be known of a number. */
export const anyFacts: fc.Arbitrary<NumberFacts> = fc
  .record({
    number: anyNumber,
    account: fc.constantFrom(account, undefined),
    connectionClass: fc.constantFrom(
      { kind: "found", name: "", spec: defaultClassSpec, status: undefined } as const,
      { kind: "missing", name: "fast" } as const,
    ),
    token: fc.constantFrom(present, missing, undefined),
    pin: fc.constantFrom(present, missing, undefined),
    twin: fc.constantFrom(undefined, "shop/elder"),
    isShared: fc.boolean(),
    register: fc.oneof(
      fc.constant(away),
      fc.constant({ kind: "known", value: undefined } as const),
      fc
        .record({ isAsDeclared: fc.boolean(), connection: fc.option(anyConnection, { nil: undefined }) })
        .map((value) => ({ kind: "known", value }) as const),
    ),
    quality: fc.constantFrom(
      { ...away, service: "quality" },
      { kind: "known", value: undefined } as const,
      { kind: "known", value: quality } as const,
    ),
    specHash: fc.constantFrom("spec", "other", undefined),
    pods: anyPods,
    refusals: fc.constantFrom(
      {},
      { pod: { specHash: "spec", message: "invalid", retryAt: new Date(8e14) } },
      { deregistration: { tries: 5, message: "no" } },
      { registration: { reason: "pin_wrong", message: "wrong", pinHash: "hash", retryAt: new Date(8e14) } },
    ),
    isDrainOver: fc.boolean(),
  })
  .map((changes) => factsWith(changes));
