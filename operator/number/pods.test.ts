import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { GivenUp, LeaseFacts, PodFacts, PodsFacts } from "./facts.ts";
import { lapseSettleMs, planPods, type PodsPlan, youngPodMs } from "./pods.ts";

const older = 10 * youngPodMs;
const now = new Date("2026-03-02T10:00:00Z");
const standbyTimeoutMs = 300_000;

function pod(epoch: number, changes: Partial<PodFacts> = {}): PodFacts {
  return {
    name: `orders-c${epoch}`,
    uid: `uid-${epoch}`,
    epoch,
    specHash: "spec",
    nodeName: "node-1",
    ageMs: older,
    seenForMs: older,
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

function lease(epoch: number, changes: Partial<LeaseFacts> = {}): PodsFacts["lease"] {
  const value = {
    epoch,
    term: BigInt(epoch),
    holder: `uid-${epoch}`,
    isHeld: true,
    lapsedForMs: undefined,
    ...changes,
  };
  return { kind: "known", value };
}

const away: PodsFacts["lease"] = { kind: "away", service: "messages", why: "no connection" };
const noTurn = { isAllowed: false, why: "not its turn" } as const;

/** One pod that sends, and nothing to do. */
function facts(changes: Partial<PodsFacts> = {}): PodsFacts {
  return {
    isWanted: true,
    isComplete: true,
    epoch: 3,
    podUid: "uid-3",
    specHash: "spec",
    pods: [pod(3)],
    othersEpoch: 0,
    endedUids: new Set(),
    lease: lease(3),
    move: { isAllowed: true },
    leave: { isAllowed: true },
    takeover: { isAllowed: true },
    disruption: "Migrate",
    standbyTimeoutMs,
    now,
    ...changes,
  };
}

function advance(why: string, avoidNodes: string[] = []) {
  return { kind: "advance", from: 3, to: 4, avoidNodes, why };
}

/** Written when the standby of that epoch was not waited for any more. */
function gaveUp(epoch: number, changes: Partial<GivenUp> = {}): GivenUp {
  const retryAt = new Date(now.getTime() + standbyTimeoutMs);
  return { epoch, specHash: "spec", tries: 1, why: "its process is not up", retryAt, ...changes };
}

function remove(epoch: number, why: string) {
  return { kind: "delete", name: `orders-c${epoch}`, uid: `uid-${epoch}`, why };
}

const old = { specHash: "old" };
const unready = { isReady: false };
const starting = { isReady: false, isStarted: false };
const lapsed = lease(3, { lapsedForMs: lapseSettleMs });

const cases: Record<string, { given: Partial<PodsFacts>; actions: unknown[]; waits?: boolean; lookAgainMs?: number }> =
  {
    "a pod that sends is left alone": { given: {}, actions: [] },
    "a new number gets epoch 1": {
      given: { epoch: 0, podUid: undefined, pods: [], lease: { kind: "known", value: undefined } },
      actions: [{ kind: "advance", from: 0, to: 1, avoidNodes: [], why: "FirstPod" }],
    },
    "an epoch that was written before the operator died gets its pod": {
      given: { podUid: undefined, pods: [] },
      actions: [{ kind: "create", epoch: 3, avoidNodes: [] }],
    },
    "a number that was made anew goes on after the last epoch that had the lease": {
      given: { epoch: 0, podUid: undefined, pods: [], lease: lease(7, { isHeld: false }) },
      actions: [{ kind: "advance", from: 0, to: 8, avoidNodes: [], why: "FirstPod" }],
    },
    "a pod of an epoch that is over can never have the lease": {
      given: { lease: lease(7, { isHeld: false }) },
      actions: [{ kind: "advance", from: 3, to: 8, avoidNodes: [], why: "EpochOver" }],
    },
    "a number that was made anew goes on after the pods that are left of it": {
      given: { epoch: 0, podUid: undefined, pods: [], othersEpoch: 2, lease: { kind: "known", value: undefined } },
      actions: [{ kind: "advance", from: 0, to: 3, avoidNodes: [], why: "FirstPod" }],
    },
    "a pod that an earlier resource has left keeps its name": {
      given: { podUid: undefined, pods: [], othersEpoch: 3 },
      actions: [advance("EpochOver")],
    },
    "an epoch that is over gets no pod": {
      given: { podUid: undefined, pods: [], lease: lease(7, { isHeld: false }) },
      actions: [{ kind: "advance", from: 3, to: 8, avoidNodes: [], why: "EpochOver" }],
    },
    "a pod of a later epoch than the status: the cache is old": {
      given: { pods: [pod(3), pod(4)] },
      actions: [{ kind: "refresh" }],
    },
    "what a new pod needs is missing: none is made": { given: { pods: [], isComplete: false }, actions: [] },
    "what a new pod needs is missing: the one that runs stays": {
      given: { isComplete: false, specHash: "other" },
      actions: [],
    },
    "a number that is not wanted loses its pods": {
      given: { isWanted: false, pods: [pod(2, { isDeleting: true }), pod(3)] },
      actions: [remove(3, "NotWanted")],
    },
    "a pod that is gone and was seen to end gives up its lease": {
      given: { pods: [], endedUids: new Set(["uid-3"]) },
      actions: [{ kind: "revoke", term: 3n, proof: "pod_gone" }, advance("PodGone")],
    },
    "a pod that is gone by force may live: its lease runs out by itself": {
      given: { pods: [] },
      actions: [advance("PodGone")],
    },
    "a pod that is gone and has given its lease back needs no proof": {
      given: { pods: [], endedUids: new Set(["uid-3"]), lease: lease(3, { isHeld: false }) },
      actions: [advance("PodGone")],
    },
    "a pod that ended is replaced, its lease revoked": {
      given: { pods: [pod(3, { isEnded: true })] },
      actions: [{ kind: "revoke", term: 3n, proof: "pod_terminal" }, advance("PodEnded")],
    },
    "a pod that ended gives up its lease even if no other can be made": {
      given: { pods: [pod(3, { isEnded: true })], isComplete: false },
      actions: [{ kind: "revoke", term: 3n, proof: "pod_terminal" }],
    },
    "a pod that is being deleted gets its successor while it drains": {
      given: { pods: [pod(3, { isDeleting: true })] },
      actions: [advance("PodDeleted")],
    },
    "a lease that lapsed just now may still be renewed": {
      given: { lease: lease(3, { lapsedForMs: 500 }) },
      actions: [],
      waits: true,
      lookAgainMs: lapseSettleMs - 500,
    },
    "a pod that fell silent is taken over, elsewhere": {
      given: { lease: lapsed },
      actions: [advance("LeaseLapsed", ["node-1"])],
    },
    "a silent pod waits while many others are taken over": {
      given: { lease: lapsed, takeover: noTurn },
      actions: [],
      waits: true,
    },
    "a container that restarts is in the kubelet's hands": {
      given: { lease: lapsed, pods: [pod(3, { isRestarting: true, isReady: false })] },
      actions: [],
    },
    "a container that restarted when its node was lost is in nobody's": {
      given: { lease: lapsed, pods: [pod(3, { isRestarting: true, isReady: false, isNodeLost: true })] },
      actions: [advance("LeaseLapsed", ["node-1"])],
    },
    "a young pod is not replaced for its silence": {
      given: { lease: lapsed, pods: [pod(3, { ageMs: youngPodMs - 10 })] },
      actions: [],
      waits: true,
      lookAgainMs: 10,
    },
    "a standby that waits for an older lease which lapsed gets it by itself": {
      given: { lease: lease(2, { lapsedForMs: older }), pods: [pod(2, { isNodeLost: true }), pod(3)] },
      actions: [],
    },
    "a standby whose node is lost may never have been started": {
      given: { lease: lease(2, { isHeld: false }), pods: [pod(3, { isNodeLost: true, isReady: false })] },
      actions: [advance("NodeLost", ["node-1"])],
    },
    "a pod that never had the lease leaves its lost node out of turn": {
      given: { lease: lease(2), pods: [pod(2), pod(3, { isNodeLost: true, isReady: false })], takeover: noTurn },
      actions: [advance("NodeLost", ["node-1"])],
    },
    "the node of a young pod may still become known": {
      given: { lease: lease(2), pods: [pod(2), pod(3, { isNodeLost: true, isReady: false, ageMs: youngPodMs - 10 })] },
      actions: [],
      waits: true,
      lookAgainMs: 10,
    },
    "a pod on a lost node that renews its lease is left alone": {
      given: { pods: [pod(3, { isNodeLost: true })] },
      actions: [],
    },
    "messages is away: nothing is taken over": { given: { lease: away }, actions: [] },
    "another spec moves the number when it is its turn": {
      given: { specHash: "other" },
      actions: [advance("SpecChanged")],
    },
    "another spec waits for its turn": { given: { specHash: "other", move: noTurn }, actions: [], waits: true },
    "a pod that never served is replaced by a mended spec out of turn": {
      given: { specHash: "other", move: noTurn, lease: lease(2), pods: [pod(2), pod(3, { isReady: false })] },
      actions: [advance("SpecChanged")],
    },
    "a draining node moves the number": {
      given: { pods: [pod(3, { isNodeDraining: true })] },
      actions: [advance("NodeDraining")],
    },
    "messages is away: another spec waits": { given: { specHash: "other", lease: away }, actions: [], waits: true },
    "messages is away: a pod that is not ready for that is not replaced out of turn": {
      given: { specHash: "other", lease: away, pods: [pod(3, { isReady: false })] },
      actions: [],
      waits: true,
    },
    "messages is away: a draining node is not left": {
      given: { lease: away, pods: [pod(3, { isNodeDraining: true })] },
      actions: [],
      waits: true,
    },
    "a draining node is left in turn, whatever a new spec waits for": {
      given: { pods: [pod(3, { isNodeDraining: true })], move: noTurn },
      actions: [advance("NodeDraining")],
    },
    "leaving a draining node waits for its turn": {
      given: { pods: [pod(3, { isNodeDraining: true })], leave: noTurn },
      actions: [],
      waits: true,
    },
    "a number that blocks disruption stays on its draining node": {
      given: { pods: [pod(3, { isNodeDraining: true })], disruption: "Block" },
      actions: [],
    },
    "the old pod stays while it holds the lease": {
      given: { lease: lease(2), pods: [pod(2), pod(3, { isReady: false, seenForMs: 0 })] },
      actions: [],
      lookAgainMs: standbyTimeoutMs,
    },
    "the old pod goes when its successor holds the lease": {
      given: { pods: [pod(2), pod(3)] },
      actions: [remove(2, "Replaced")],
    },
    "the old pod stays while nobody knows who holds the lease": {
      given: { pods: [pod(2), pod(3)], lease: away },
      actions: [],
    },
    "an old pod that ended goes, whoever holds the lease": {
      given: { pods: [pod(2, { isEnded: true }), pod(3)], lease: away },
      actions: [remove(2, "Ended")],
    },
    "a pod that was replaced and has ended gives up its lease to the one that waits for it": {
      given: { lease: lease(2), pods: [pod(3)], endedUids: new Set(["uid-2"]) },
      actions: [{ kind: "revoke", term: 2n, proof: "pod_gone" }],
    },
    "an old pod that is seen to have ended gives up its lease at once": {
      given: { lease: lease(2), pods: [pod(2, { isEnded: true, isDeleting: true }), pod(3)] },
      actions: [{ kind: "revoke", term: 2n, proof: "pod_terminal" }],
    },
    "a number that is not wanted gives up the lease of a pod that ended": {
      given: { isWanted: false, pods: [], endedUids: new Set(["uid-3"]) },
      actions: [{ kind: "revoke", term: 3n, proof: "pod_gone" }],
    },
    "a standby is waited for": {
      given: { lease: lease(2), pods: [pod(2, old), pod(3, { ...starting, seenForMs: standbyTimeoutMs - 10 })] },
      actions: [],
      lookAgainMs: 10,
    },
    "a standby that does not come is given up": {
      given: { lease: lease(2), pods: [pod(2, old), pod(3, { ...starting, waitingReason: "ImagePullBackOff" })] },
      actions: [{ kind: "giveUp", name: "orders-c2", uid: "uid-2", gaveUp: gaveUp(3, { why: "ImagePullBackOff" }) }],
    },
    "a standby that does not get the lease is given up, and the next is tried later than the last one": {
      given: { lease: lease(2), pods: [pod(2, { ...old, gaveUp: gaveUp(1, { tries: 2 }) }), pod(3, unready)] },
      actions: [
        {
          kind: "giveUp",
          name: "orders-c2",
          uid: "uid-2",
          gaveUp: gaveUp(3, {
            tries: 3,
            why: "its process does not get the lease",
            retryAt: new Date(now.getTime() + 4 * standbyTimeoutMs),
          }),
        },
      ],
    },
    "a standby is waited for as long as nobody else serves": {
      given: { lease: lease(2), pods: [pod(2, { ...old, isDeleting: true }), pod(3, starting)] },
      actions: [],
    },
    "a standby that waits for a lease which lapsed is not given up": {
      given: { lease: lease(2, { lapsedForMs: 500 }), pods: [pod(2, old), pod(3, starting)] },
      actions: [],
    },
    "a late standby of a spec that was mended is replaced instead": {
      given: { lease: lease(2), specHash: "mended", pods: [pod(2, old), pod(3, starting)] },
      actions: [advance("SpecChanged")],
    },
    "a standby that was given up goes, and nothing follows it at once": {
      given: { lease: lease(2), pods: [pod(2, { ...old, gaveUp: gaveUp(3) }), pod(3, starting)] },
      actions: [remove(3, "GivenUp")],
      lookAgainMs: standbyTimeoutMs,
    },
    "a standby that was given up and is gone is not followed at once": {
      given: { lease: lease(2), pods: [pod(2, { ...old, gaveUp: gaveUp(3) })], move: noTurn },
      actions: [],
      lookAgainMs: standbyTimeoutMs,
    },
    "it is followed when the time has come, though it is itself what the other canaries wait for": {
      given: { lease: lease(2), pods: [pod(2, { ...old, gaveUp: gaveUp(3, { retryAt: now }) })], move: noTurn },
      actions: [advance("SpecChanged")],
    },
    "a time to wait for that is further away than any is of a clock that was wrong": {
      given: {
        lease: lease(2),
        pods: [pod(2, { ...old, gaveUp: gaveUp(3, { retryAt: new Date(now.getTime() + standbyTimeoutMs + 1) }) })],
      },
      actions: [advance("SpecChanged")],
    },
    "it is followed when there is room": {
      given: { lease: lease(2), pods: [pod(2, { ...old, gaveUp: gaveUp(3, { retryAt: now }) })], leave: noTurn },
      actions: [],
      waits: true,
    },
    "a mended spec is tried in its turn, however long the last one was to be waited for": {
      given: { lease: lease(2), specHash: "mended", pods: [pod(2, { ...old, gaveUp: gaveUp(3) })] },
      actions: [advance("SpecChanged")],
    },
    "settings that were taken back need nothing more": {
      given: { lease: lease(2), specHash: "old", pods: [pod(2, { ...old, gaveUp: gaveUp(3) })] },
      actions: [],
    },
    "a pod that serves on and dies is followed at once": {
      given: { lease: lease(2), pods: [pod(2, { ...old, gaveUp: gaveUp(3), isEnded: true })] },
      actions: [{ kind: "revoke", term: 2n, proof: "pod_terminal" }, advance("PodEnded")],
    },
    "a pod that serves on and falls silent is taken over": {
      given: { lease: lease(2, { lapsedForMs: lapseSettleMs }), pods: [pod(2, { ...old, gaveUp: gaveUp(3) })] },
      actions: [advance("LeaseLapsed", ["node-1"])],
    },
    "a pod that served on and is gone is followed at once": {
      given: { lease: lease(2), pods: [] },
      actions: [advance("PodGone")],
    },
    "a standby that was given up and got the lease after all is the one": {
      given: { pods: [pod(2, { ...old, gaveUp: gaveUp(3) }), pod(3)] },
      actions: [remove(2, "Replaced")],
    },
    "messages is away: a pod that serves on stays": {
      given: { lease: away, pods: [pod(2, { ...old, gaveUp: gaveUp(3, { retryAt: now }) })] },
      actions: [],
      waits: true,
    },
    "a pod on a lost node stays as evidence": { given: { pods: [pod(2, { isNodeLost: true }), pod(3)] }, actions: [] },
  };

for (const [sentence, { given, actions, waits = false, lookAgainMs }] of Object.entries(cases)) {
  test(sentence, () => {
    const plan = planPods(facts(given));
    assert.deepEqual(plan.actions, actions);
    assert.equal(plan.waitsFor !== undefined, waits);
    assert.equal(plan.lookAgainMs, lookAgainMs);
  });
}

const anyPod = (epoch: number): fc.Arbitrary<PodFacts> =>
  fc
    .record({
      specHash: fc.constantFrom("spec", "other"),
      nodeName: fc.constantFrom("node-1", "node-2", undefined),
      ageMs: fc.constantFrom(0, youngPodMs, older),
      seenForMs: fc.constantFrom(0, standbyTimeoutMs),
      isStarted: fc.boolean(),
      isReady: fc.boolean(),
      isEnded: fc.boolean(),
      isRestarting: fc.boolean(),
      isDeleting: fc.boolean(),
      isNodeLost: fc.boolean(),
      isNodeDraining: fc.boolean(),
      gaveUp: fc.constantFrom(undefined, gaveUp(epoch + 1), gaveUp(epoch + 1, { specHash: "other", retryAt: now })),
    })
    .map((changes) => pod(epoch, changes));

const anyTurn = fc.boolean().map((isAllowed) => (isAllowed ? ({ isAllowed } as const) : noTurn));

const anyFacts: fc.Arbitrary<PodsFacts> = fc.record({
  isWanted: fc.boolean(),
  isComplete: fc.boolean(),
  epoch: fc.integer({ min: 0, max: 4 }),
  podUid: fc.constantFrom(undefined, "uid-1", "uid-2", "uid-3", "uid-4"),
  specHash: fc.constantFrom("spec", "other"),
  othersEpoch: fc.constantFrom(0, 2, 5),
  pods: fc.subarray([1, 2, 3, 4]).chain((epochs) => fc.tuple(...epochs.map(anyPod))),
  endedUids: fc.subarray(["uid-1", "uid-2", "uid-3", "uid-4"]).map((uids) => new Set(uids)),
  lease: fc.oneof(
    fc.constant(away),
    fc.constant({ kind: "known", value: undefined } as const),
    fc
      .record({
        epoch: fc.integer({ min: 1, max: 4 }),
        isHeld: fc.boolean(),
        lapsedForMs: fc.constantFrom(undefined, 0, lapseSettleMs, older),
      })
      .map(({ epoch, ...changes }) => lease(epoch, changes)),
  ),
  move: anyTurn,
  leave: anyTurn,
  takeover: anyTurn,
  disruption: fc.constantFrom("Migrate", "Block"),
  standbyTimeoutMs: fc.constantFrom(standbyTimeoutMs, Infinity),
  now: fc.constant(now),
});

function count(plan: PodsPlan, kind: string): number {
  return plan.actions.filter((action) => action.kind === kind).length;
}

const laws: Record<string, (given: PodsFacts, plan: PodsPlan) => boolean> = {
  "at most one new pod at a time": (_, plan) => count(plan, "advance") + count(plan, "create") <= 1,
  "no new pod for a number that is not wanted, or lacks something": (given, plan) =>
    (given.isWanted && given.isComplete) || count(plan, "advance") + count(plan, "create") === 0,
  "a wanted number's living pod that may hold the lease is never deleted": (given, plan) =>
    !given.isWanted ||
    plan.actions.every((action) => {
      if (action.kind !== "delete") return true;
      const found = given.pods.find(({ uid }) => uid === action.uid);
      if (found?.isEnded === true) return true;
      return (
        given.lease.kind === "known" &&
        !(given.lease.value?.isHeld === true && given.lease.value.epoch === found?.epoch)
      );
    }),
  "a lease is revoked only of a pod that is known to have ended": (given, plan) =>
    plan.actions.every(({ kind }) => {
      if (kind !== "revoke" || given.lease.kind === "away") return kind !== "revoke";
      const holder = given.lease.value?.holder;
      return given.endedUids.has(holder ?? "") || given.pods.some(({ uid, isEnded }) => uid === holder && isEnded);
    }),
  "a standby is given up only while another one serves": (given, plan) =>
    plan.actions.every((action) => {
      if (action.kind !== "giveUp" || given.lease.kind === "away") return action.kind !== "giveUp";
      const holder = given.pods.find(({ uid }) => uid === action.uid);
      return given.lease.value?.holder === action.uid && holder?.isEnded === false && !holder.isDeleting;
    }),
  "an epoch is only ever followed by the next of all that were": (given, plan) =>
    plan.actions.every((action) => {
      if (action.kind !== "advance") return true;
      const last = Math.max(
        given.epoch,
        given.othersEpoch,
        given.lease.kind === "known" ? (given.lease.value?.epoch ?? 0) : 0,
      );
      return action.from === given.epoch && action.to === last + 1;
    }),
};

for (const [law, holds] of Object.entries(laws)) {
  test(law, () => {
    fc.assert(
      fc.property(anyFacts, (given) => holds(given, planPods(given))),
      { numRuns: 5_000 },
    );
  });
}
