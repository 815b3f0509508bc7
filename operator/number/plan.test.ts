import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { finalizers } from "../names.ts";
import type { NumberFacts } from "./facts.ts";
import { type NumberPlan, planNumber } from "./plan.ts";
import { lapseSettleMs } from "./pods.ts";
import {
  anyFacts,
  connectionWith,
  factsWith,
  isSameStatus,
  now,
  numberWith,
  podWith,
  quality,
  registered,
} from "./test-facts.ts";

const away = { kind: "away", service: "messages", why: "no connection" } as const;
const deleting = { deletionTimestamp: "2026-03-02T09:59:00Z" };
const both = [finalizers.number, finalizers.upstream];
const pinned = { registration: { pinRef: { name: "pins", key: "pin" } } };
const pin = { kind: "present", hash: "hash" } as const;
const wrongPin = { reason: "pin_wrong", message: "PIN is not the number's", pinHash: "hash", retryAt: new Date(8e14) };
const noPods = { pods: [], register: registered({ isHeld: false }) };

const leftBehind = podWith(3, { isDeleting: true, isNodeLost: true });
const gaveUp = {
  epoch: 4,
  specHash: "spec",
  tries: 1,
  why: "ImagePullBackOff",
  retryAt: new Date(now.getTime() + 60_000),
};

type Case = { given: Partial<NumberFacts>; actions: string[]; ready: string; stalled?: boolean; reconciling?: boolean };

const cases: Record<string, Case> = {
  "a number that sends needs nothing": { given: {}, actions: [], ready: "True Ready" },
  "a new number gets its finalizer, and the services are told": {
    given: {
      number: numberWith({ metadata: { finalizers: [] }, status: {} }),
      register: { kind: "known", value: undefined },
      pods: [],
    },
    actions: ["keepFinalizers", "applyNumber"],
    ready: "Unknown Registering",
    reconciling: true,
  },
  "an edit is told to the services": {
    given: { register: { kind: "known", value: { isAsDeclared: false, connection: connectionWith() } } },
    actions: ["applyNumber"],
    ready: "True Ready",
  },
  "a paused number is left alone": {
    given: { number: numberWith({ metadata: { annotations: { "heliograph.dev/paused": "true" } } }), ...noPods },
    actions: [],
    ready: "Unknown Paused",
  },
  "a fenced number loses its pod": {
    given: { number: numberWith({ metadata: { annotations: { "heliograph.dev/fence": "true" } } }) },
    actions: ["delete"],
    ready: "False Fenced",
    reconciling: true,
  },
  "a number that is to be disconnected, and is, has nothing to do and nothing to mend": {
    given: { number: numberWith({ spec: { desiredState: "Disconnected" } }), ...noPods },
    actions: [],
    ready: "True Disconnected",
  },
  "a number that is to be disconnected and still has a process is on its way": {
    given: { number: numberWith({ spec: { desiredState: "Disconnected" } }) },
    actions: ["delete"],
    ready: "False Disconnected",
    reconciling: true,
  },
  "a number whose pods are gone and whose lease is renewed may still be held": {
    given: { number: numberWith({ spec: { desiredState: "Disconnected" } }), pods: [] },
    actions: [],
    ready: "False Disconnected",
    reconciling: true,
  },
  "a fenced number without pods is what it was told to be": {
    given: { number: numberWith({ metadata: { annotations: { "heliograph.dev/fence": "true" } } }), ...noPods },
    actions: [],
    ready: "True Fenced",
  },
  "nobody can tell who holds a number that is to be disconnected while messages is away": {
    given: { number: numberWith({ spec: { desiredState: "Disconnected" } }), pods: [], register: away },
    actions: [],
    ready: "Unknown MessagesAway",
    reconciling: true,
  },
  "a number that is to be disconnected must be known to the services": {
    given: {
      number: numberWith({ spec: { desiredState: "Disconnected" } }),
      pods: [],
      register: { kind: "known", value: undefined },
    },
    actions: ["applyNumber"],
    ready: "Unknown Registering",
    reconciling: true,
  },
  "the younger of two gets no pod and is not told to the services": {
    given: { twin: "shop/elder", pods: [], register: { kind: "known", value: undefined } },
    actions: [],
    ready: "False NumberInUse",
    stalled: true,
  },
  "a missing account keeps no pod from running": {
    given: { account: undefined, specHash: undefined },
    actions: [],
    ready: "False AccountMissing",
    stalled: true,
  },
  "messages that is away makes the number Unknown and touches no pod": {
    given: { register: away },
    actions: [],
    ready: "Unknown MessagesAway",
    reconciling: true,
  },
  "a number that WhatsApp does not know waits for a person if it has no PIN": {
    given: { register: registered({ standing: "not_registered" }) },
    actions: [],
    ready: "False NotRegistered",
    stalled: true,
  },
  "one that was registered a moment ago is not again, though the news of it is still on its way": {
    given: {
      number: numberWith({ spec: pinned }),
      pin,
      register: registered({ standing: "not_registered" }),
      registration: { pinHash: pin.hash, retryAt: new Date(8e14) },
    },
    actions: [],
    ready: "False Registering",
    reconciling: true,
  },
  "a number that WhatsApp does not know is registered with its PIN": {
    given: { number: numberWith({ spec: pinned }), pin, register: registered({ standing: "not_registered" }) },
    actions: ["register"],
    ready: "False Registering",
    reconciling: true,
  },
  "a wrong PIN is not tried again": {
    given: {
      number: numberWith({ spec: pinned }),
      pin,
      register: registered({ standing: "not_registered" }),
      refusals: { registration: wrongPin },
    },
    actions: [],
    ready: "False PinWrong",
    stalled: true,
  },
  "another PIN is": {
    given: {
      number: numberWith({ spec: pinned }),
      register: registered({ standing: "not_registered" }),
      pin: { kind: "present", hash: "new" },
      refusals: { registration: wrongPin },
    },
    actions: ["register"],
    ready: "False PinWrong",
    stalled: true,
  },
  "a conflict waits for a person": {
    given: { register: registered({ standing: "conflict" }) },
    actions: [],
    ready: "False Conflict",
    stalled: true,
  },
  "a deleted number loses its pods first": {
    given: { number: numberWith({ metadata: deleting }) },
    actions: ["delete"],
    ready: "False Deleting",
    reconciling: true,
  },
  "a deleted number without pods is forgotten by the services": {
    given: { number: numberWith({ metadata: deleting }), ...noPods },
    actions: ["removeNumber", "keepFinalizers"],
    ready: "False Deleting",
    reconciling: true,
  },
  "a deleted number whose pod is on a lost node waits while that one renews its lease": {
    given: { number: numberWith({ metadata: deleting }), pods: [leftBehind] },
    actions: [],
    ready: "False Deleting",
    reconciling: true,
  },
  "and while the lease has only just run out": {
    given: {
      number: numberWith({ metadata: deleting }),
      pods: [leftBehind],
      register: registered({ lapsedForMs: 500 }),
    },
    actions: [],
    ready: "False Deleting",
    reconciling: true,
  },
  "a deleted number whose pod is on a lost node is forgotten when the lease has run out": {
    given: {
      number: numberWith({ metadata: deleting }),
      pods: [leftBehind],
      register: registered({ lapsedForMs: lapseSettleMs }),
    },
    actions: ["removeNumber", "keepFinalizers"],
    ready: "False Deleting",
    reconciling: true,
  },
  "a deleted number whose id another resource has is not forgotten": {
    given: { number: numberWith({ metadata: deleting }), isShared: true, ...noPods },
    actions: ["keepFinalizers"],
    ready: "False Deleting",
    reconciling: true,
  },
  "with policy Delete it is deregistered while it is connected": {
    given: { number: numberWith({ metadata: { ...deleting, finalizers: both }, spec: { deletionPolicy: "Delete" } }) },
    actions: ["deregister"],
    ready: "False Deleting",
    reconciling: true,
  },
  "one that has lost what its process needs tells what, and how to go without": {
    given: {
      number: numberWith({ metadata: { ...deleting, finalizers: both }, spec: { deletionPolicy: "Delete" } }),
      account: undefined,
      pods: [],
      register: registered({ isHeld: false }),
    },
    actions: [],
    ready: "False DeregistrationFailed",
    stalled: true,
  },
  "a number that cannot be deregistered tells how to get rid of it": {
    given: {
      number: numberWith({ metadata: { ...deleting, finalizers: both }, spec: { deletionPolicy: "Delete" } }),
      refusals: { deregistration: { tries: 5, message: "take the finalizer away" } },
    },
    actions: [],
    ready: "False DeregistrationFailed",
    stalled: true,
  },
  "a drain that has waited too long lets the pod be evicted": {
    given: {
      pods: [podWith(3, { isNodeDraining: true })],
      isDrainOver: true,
      leave: { isAllowed: false, why: "full" },
    },
    actions: ["allowEviction"],
    ready: "True Ready",
    reconciling: true,
  },
};

function conditionOf({ status }: NumberPlan, type: string): string {
  const found = status.conditions?.find((condition) => condition.type === type);
  return found === undefined ? "" : `${found.status} ${found.reason}`;
}

for (const [sentence, { given, actions, ready, stalled = false, reconciling = false }] of Object.entries(cases)) {
  test(sentence, () => {
    const plan = planNumber(factsWith(given));
    assert.deepEqual(
      plan.actions.map(({ kind }) => kind),
      actions,
    );
    assert.equal(conditionOf(plan, "Ready"), ready);
    assert.equal(conditionOf(plan, "Stalled").startsWith("True"), stalled);
    assert.equal(conditionOf(plan, "Reconciling").startsWith("True"), reconciling);
  });
}

test("a status is the same as long as the facts are, whatever the time", () => {
  const first = planNumber(factsWith()).status;
  const number = numberWith({ status: first });
  const later = planNumber(factsWith({ number, now: new Date(now.getTime() + 3_600_000) })).status;
  assert.ok(isSameStatus(first, later));
});

test("what cannot be ended says what it waits for and what a person can do", () => {
  const fenced = { annotations: { "heliograph.dev/fence": "true" } };
  const { status } = planNumber(factsWith({ number: numberWith({ metadata: fenced }), pods: [leftBehind] }));
  const { message = "" } = status.conditions?.find(({ type }) => type === "Reconciling") ?? {};
  assert.match(
    message,
    /^pod orders-c3 cannot be ended: its node node-1 does not answer, and its process still renews/,
  );
  assert.match(message, /delete the Node, or taint it node.kubernetes.io\/out-of-service=nodeshutdown:NoExecute$/);
});

test("a standby that was given up leaves the number Ready, and says why and when the next is tried", () => {
  const number = numberWith({ status: { connection: { epoch: 4, podName: "orders-c4", podUid: "uid-4" } } });
  const plan = planNumber(factsWith({ number, pods: [podWith(3, { specHash: "old", gaveUp })] }));
  assert.deepEqual(
    ["Ready", "Degraded", "Progressing", "Reconciling", "Stalled"].map((type) => conditionOf(plan, type)),
    ["True Ready", "True StandbyGivenUp", "False Settled", "False NothingToDo", "False NothingToDo"],
  );
  assert.equal(
    plan.status.conditions?.find(({ type }) => type === "Degraded")?.message,
    "pod orders-c4 did not take the number over in time (ImagePullBackOff) and was given up, orders-c3 goes on; " +
      "the next is tried from 2026-03-02T10:01:00Z on, or when the settings change",
  );
  assert.deepEqual([plan.actions, plan.lookAgainMs], [[], 60_000]);
});

test("a condition keeps the time of its last transition", () => {
  const first = planNumber(factsWith()).status;
  const later = new Date(now.getTime() + 60_000);
  const number = numberWith({ status: first });
  const { conditions = [] } = planNumber(factsWith({ number, now: later, register: away })).status;
  const timeOf = (type: string): string | undefined =>
    conditions.find((each) => each.type === type)?.lastTransitionTime;
  assert.deepEqual([timeOf("Ready"), timeOf("Degraded")], ["2026-03-02T10:01:00Z", "2026-03-02T10:00:00Z"]);
});

const uses: [used: bigint, before: string | undefined, writtenMs: number, shown: string][] = [
  [120n, undefined, 0, "0.1"],
  [320n, "0.1", 0, "0.1"],
  [320n, "0.1", 600_000, "0.3"],
  [500n, "0.4", 0, "0.5"],
  [790n, "0.5", 0, "0.5"],
  [800n, "0.5", 0, "0.8"],
  [1_000n, "0.9", 0, "1.0"],
  [100n, "1.0", 0, "0.1"],
];
for (const [used, before, usedWrittenMs, shown] of uses) {
  test(`${used} of 1,000 used, ${before ?? "nothing"} shown for ${usedWrittenMs / 1_000} s: ${shown}`, () => {
    const number = numberWith(before === undefined ? {} : { status: { messagingLimitUsed: before } });
    const facts = factsWith({ number, usedWrittenMs, quality: { kind: "known", value: { ...quality, used } } });
    assert.equal(planNumber(facts).status.messagingLimitUsed, shown);
  });
}

const laws: Record<string, (facts: NumberFacts, plan: NumberPlan) => boolean> = {
  "every state has a plan whose status fits the CRD": (_, { status }) =>
    (status.conditions ?? []).every(
      ({ reason, message }) => /^[A-Z][A-Za-z0-9]*$/.test(reason) && message.length <= 4_096,
    ),
  "Ready is always there, unless nothing is touched": ({ number }, plan) =>
    number.metadata.annotations?.["heliograph.dev/paused"] === "true" || conditionOf(plan, "Ready") !== "",
  "nobody is told to work and to wait for a person at once": (_, plan) =>
    !(conditionOf(plan, "Stalled").startsWith("True") && conditionOf(plan, "Reconciling").startsWith("True")),
  "no phone number and no secret's hash is told": (_, { status }) => !/5550100001|"hash"/.test(JSON.stringify(status)),
  "a paused number is not touched": ({ number }, { actions }) =>
    number.metadata.annotations?.["heliograph.dev/paused"] !== "true" || actions.length === 0,
  "no pod is made for the younger twin": ({ twin }, { actions }) =>
    twin === undefined || actions.every(({ kind }) => kind !== "advance" && kind !== "create"),
  "the services forget a number only when its pods are gone, or out of reach and without a lease": (facts, plan) =>
    facts.pods.every(({ isDeleting, isNodeLost }) => isDeleting && isNodeLost) ||
    plan.actions.every(({ kind }) => kind !== "removeNumber"),
  "a number that is Ready has a process, or is to have none": ({ register }, plan) => {
    const isHeld = register.kind === "known" && register.value?.connection?.isHeld === true;
    return conditionOf(plan, "Ready") !== "True Ready" || isHeld;
  },
  "a plan made twice is the same": (facts, plan) => isSameStatus(planNumber(facts).status, plan.status),
  "a status that was written is not written again": (facts, plan) =>
    plan.actions.length > 0 ||
    isSameStatus(planNumber({ ...facts, number: { ...facts.number, status: plan.status } }).status, plan.status),
};
for (const [law, holds] of Object.entries(laws)) {
  test(law, () => {
    fc.assert(
      fc.property(anyFacts, (facts) => holds(facts, planNumber(facts))),
      { numRuns: 3_000 },
    );
  });
}
