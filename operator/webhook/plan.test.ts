// What a subscription's plan does and says, by table.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { SubscriptionSchema } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import { annotations, subscriptionFinalizer } from "../names.ts";
import type { DeliveryFacts, SubscriptionFacts } from "./facts.ts";
import { planSubscription } from "./plan.ts";

const now = new Date("2026-11-23T12:00:00Z");
const ago = (seconds: number): Date => new Date(now.getTime() - seconds * 1_000);
const present = { kind: "present", hash: "a" } as const;
const missing = { kind: "missing", why: "secret shop/hook does not exist" } as const;
const well: DeliveryFacts = {
  isAsDeclared: true,
  pausedUntil: undefined,
  waiting: 0,
  oldestWaitingAt: undefined,
  lastSuccessAt: undefined,
  lastFailureAt: undefined,
  lastFailure: "",
};
const away = { kind: "away", why: "no connection" } as const;
const trial = { reason: "x", why: "it said no", of: "f", tries: 1, retryAtMs: 1_030_000 };
const metadata = {
  name: "hook",
  namespace: "shop",
  uid: "u1",
  resourceVersion: "1",
  generation: 2,
  finalizers: [subscriptionFinalizer],
};
const subscription: SubscriptionFacts["subscription"] = {
  apiVersion: "heliograph.dev/v1alpha1",
  kind: "WebhookSubscription",
  metadata,
  spec: {
    url: "https://example.com/hook",
    dialect: "Cloud",
    secretRef: { name: "hook", key: "secret" },
    keepTryingSeconds: 345_600,
    timeoutSeconds: 15,
    concurrency: 16,
  },
};
const deleting = { ...subscription, metadata: { ...metadata, deletionTimestamp: "2026-11-23T11:59:00Z" } };

function factsOf(change: Partial<SubscriptionFacts> = {}): SubscriptionFacts {
  return {
    subscription,
    secrets: [present],
    resolved: { kind: "resolved", declared: create(SubscriptionSchema, { name: "shop/hook" }) },
    fingerprint: "f",
    applied: { fingerprint: "f", agoMs: 5_000 },
    applying: undefined,
    removing: undefined,
    delivery: { kind: "known", value: well },
    figuresWrittenMs: 0,
    nowMs: 1_000_000,
    now,
    ...change,
  };
}

const delivering = (change: Partial<DeliveryFacts>): SubscriptionFacts["delivery"] => ({
  kind: "known",
  value: { ...well, ...change },
});
const noAccounts = { kind: "unresolved", reason: "NoAccounts", why: "there is none" } as const;
const accountInUse = { kind: "unresolved", reason: "AccountInUse", why: "an older one has it" } as const;
const numberMissing = { kind: "unresolved", reason: "NumberMissing", why: "there is none" } as const;
const nothing = { fingerprint: undefined, applied: undefined };

const sayings: [sentence: string, facts: SubscriptionFacts, ready: string, tools: string][] = [
  ["one that is well", factsOf(), "True Ready", ""],
  [
    "a reference that leads nowhere",
    factsOf({ ...nothing, resolved: numberMissing }),
    "False NumberMissing",
    "Stalled",
  ],
  ["a missing Secret", factsOf({ ...nothing, secrets: [missing] }), "False SecretMissing", "Stalled"],
  ["a missing previous Secret", factsOf({ ...nothing, secrets: [present, missing] }), "False SecretMissing", "Stalled"],
  ["not applied yet", factsOf({ applied: undefined }), "Unknown Declaring", "Reconciling"],
  ["changed since", factsOf({ fingerprint: "g" }), "Unknown Declaring", "Reconciling"],
  ["refused", factsOf({ applying: { ...trial, kind: "refused" } }), "False SubscriptionRefused", "Stalled"],
  [
    "refused before it was changed",
    factsOf({ fingerprint: "g", applying: { ...trial, kind: "refused" } }),
    "Unknown Declaring",
    "Reconciling",
  ],
  [
    "webhooks away at the call",
    factsOf({ applying: { ...trial, kind: "away" } }),
    "Unknown WebhooksAway",
    "Reconciling",
  ],
  ["webhooks away", factsOf({ delivery: away }), "Unknown WebhooksAway", "Reconciling"],
  [
    "an address that fails",
    factsOf({ delivery: delivering({ pausedUntil: now, lastFailure: "503" }) }),
    "False CircuitOpen",
    "",
  ],
  [
    "an address that failed once",
    factsOf({ delivery: delivering({ waiting: 1, oldestWaitingAt: ago(5), lastFailureAt: ago(4) }) }),
    "True Ready",
    "",
  ],
  [
    "an address that fails, with something that waits for longer",
    factsOf({
      delivery: delivering({ waiting: 1, oldestWaitingAt: ago(61), lastFailureAt: ago(4), lastSuccessAt: ago(70) }),
    }),
    "False DeliveryFailing",
    "",
  ],
  [
    "an address that is slow, and takes what it gets",
    factsOf({
      delivery: delivering({ waiting: 9, oldestWaitingAt: ago(61), lastFailureAt: ago(80), lastSuccessAt: ago(1) }),
    }),
    "True Ready",
    "",
  ],
  ["being deleted", factsOf({ subscription: deleting }), "False Deleting", "Reconciling"],
  [
    "whose removal fails",
    factsOf({ subscription: deleting, removing: { ...trial, kind: "away" } }),
    "Unknown WebhooksAway",
    "Reconciling",
  ],
  [
    "whose removal fails again and again",
    factsOf({ subscription: deleting, removing: { ...trial, kind: "away", tries: 5 } }),
    "False RemovalFailed",
    "Stalled",
  ],
];
for (const [sentence, facts, ready, tools] of sayings) {
  test(`conditions: ${sentence}`, () => {
    const { conditions = [] } = planSubscription(facts).status;
    const found = conditions.find(({ type }) => type === "Ready");
    const loud = conditions.filter(({ type, status }) => type !== "Ready" && status === "True").map(({ type }) => type);
    assert.deepEqual([`${found?.status} ${found?.reason}`, loud.join()], [ready, tools]);
  });
}

const bare = { ...subscription, metadata: { ...metadata, finalizers: [] } };
const acts: [sentence: string, facts: SubscriptionFacts, expected: string[]][] = [
  ["nothing, where all is well", factsOf(), []],
  [
    "a new one gets its finalizer first",
    factsOf({ subscription: bare, applied: undefined }),
    ["keepFinalizers", "apply"],
  ],
  ["a changed one is applied", factsOf({ fingerprint: "g" }), ["apply"]],
  ["one without its Secret stays as it was", factsOf({ fingerprint: undefined, secrets: [missing] }), []],
  [
    "a refused one is not tried again at once",
    factsOf({ applied: undefined, applying: { ...trial, kind: "refused" } }),
    [],
  ],
  ["but when it has changed", factsOf({ fingerprint: "g", applying: { ...trial, kind: "refused" } }), ["apply"]],
  [
    "one that the service lost is applied again",
    factsOf({ delivery: { kind: "known", value: undefined }, applied: { fingerprint: "f", agoMs: 61_000 } }),
    ["apply"],
  ],
  [
    "not all the time",
    factsOf({ delivery: delivering({ isAsDeclared: false }), applied: { fingerprint: "f", agoMs: 59_000 } }),
    [],
  ],
  ["nothing while webhooks is away and all was told", factsOf({ delivery: away }), []],
  ["one whose last account went is not ended", factsOf({ ...nothing, resolved: noAccounts }), []],
  ["one whose account is another's is", factsOf({ ...nothing, resolved: accountInUse }), ["remove"]],
  ["one whose number went for a while is not", factsOf({ ...nothing, resolved: numberMissing }), []],
  ["a deleted one is removed, then let go", factsOf({ subscription: deleting }), ["remove", "keepFinalizers"]],
  [
    "not before the next try",
    factsOf({ subscription: deleting, removing: { ...trial, of: "removal", kind: "away" } }),
    [],
  ],
  [
    "and not twice",
    factsOf({ subscription: { ...deleting, metadata: { ...deleting.metadata, finalizers: ["other.dev/x"] } } }),
    [],
  ],
  [
    "a paused one is left alone",
    factsOf({
      subscription: { ...bare, metadata: { ...bare.metadata, annotations: { [annotations.paused]: "true" } } },
      applied: undefined,
    }),
    [],
  ],
];
for (const [sentence, facts, expected] of acts) {
  test(`actions: ${sentence}`, () => {
    assert.deepEqual(
      planSubscription(facts).actions.map(({ kind }) => kind),
      expected,
    );
  });
}

const shown = { circuit: "Closed", pending: 0 } as const;
const figures: [
  sentence: string,
  before: object,
  delivery: Partial<DeliveryFacts>,
  writtenMs: number,
  expected: object,
][] = [
  ["the first ones are written", {}, {}, 0, shown],
  ["a success is not told at once", shown, { lastSuccessAt: ago(1) }, 599_999, shown],
  [
    "but after ten minutes",
    shown,
    { lastSuccessAt: ago(1) },
    600_000,
    { ...shown, lastSuccessTime: "2026-11-23T11:59:59Z" },
  ],
  ["what waits for less than a minute is no lag", shown, { waiting: 7, oldestWaitingAt: ago(60) }, 0, shown],
  [
    "what waits for longer is told at once",
    shown,
    { waiting: 7, oldestWaitingAt: ago(61) },
    0,
    { circuit: "Closed", pending: 7, oldestPendingTime: "2026-11-23T11:58:59Z" },
  ],
  [
    "its growth is not",
    { ...shown, pending: 7, oldestPendingTime: "2026-11-23T11:50:00Z" },
    { waiting: 9, oldestWaitingAt: ago(500) },
    1_000,
    { ...shown, pending: 7, oldestPendingTime: "2026-11-23T11:50:00Z" },
  ],
  [
    "its end is",
    { ...shown, pending: 7, oldestPendingTime: "2026-11-23T11:50:00Z" },
    { lastSuccessAt: ago(2) },
    1_000,
    { ...shown, lastSuccessTime: "2026-11-23T11:59:58Z" },
  ],
  [
    "an open circuit stays open between two pauses",
    { ...shown, circuit: "Open" },
    { waiting: 3, lastFailureAt: ago(2), lastSuccessAt: ago(3) },
    1_000,
    { ...shown, circuit: "Open" },
  ],
  [
    "and closes when the address answers",
    { ...shown, circuit: "Open" },
    { waiting: 3, lastFailureAt: ago(3), lastSuccessAt: ago(2), lastFailure: "HTTP 503" },
    1_000,
    {
      ...shown,
      pending: 3,
      lastSuccessTime: "2026-11-23T11:59:58Z",
      lastFailureTime: "2026-11-23T11:59:57Z",
      lastFailure: "HTTP 503",
    },
  ],
  [
    "so is the circuit",
    shown,
    { pausedUntil: now, waiting: 3, lastFailure: "503", lastFailureAt: ago(2) },
    1_000,
    { circuit: "Open", pending: 3, lastFailure: "503", lastFailureTime: "2026-11-23T11:59:58Z" },
  ],
];
for (const [sentence, before, change, figuresWrittenMs, expected] of figures) {
  test(`figures: ${sentence}`, () => {
    const status = { ...before, observedGeneration: 2 };
    const facts = factsOf({
      subscription: { ...subscription, status },
      delivery: delivering(change),
      figuresWrittenMs,
    });
    const { conditions: _, observedGeneration: __, ...written } = planSubscription(facts).status;
    assert.deepEqual(written, expected);
  });
}

test("figures that wait to be written are written in time, and lag is told when it begins", () => {
  const status = { ...shown };
  const facts = factsOf({ subscription: { ...subscription, status }, figuresWrittenMs: 500_000 });
  assert.equal(planSubscription(facts).lookAgainMs, undefined);
  const succeeded = { ...facts, delivery: delivering({ lastSuccessAt: ago(1) }) };
  assert.equal(planSubscription(succeeded).lookAgainMs, 100_000);
  const waiting = { ...facts, delivery: delivering({ oldestWaitingAt: ago(20) }) };
  assert.equal(planSubscription(waiting).lookAgainMs, 40_001);
});
