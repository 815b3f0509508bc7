// Guards that are taken away on purpose, and the judge that must notice: a proof of safety is itself proven.
import { decideBatch } from "../../services/messages/domain/batch.ts";
import { decideLease } from "../../services/messages/domain/lease.ts";
import { play, type Result } from "./play.ts";
import { realRules, type Rules } from "./rules.ts";

export type Mutation = { rules: Partial<Rules>; rule: string; only?: readonly string[] };

const { planPods, projectPod, nextSession } = realRules;

export const mutations = {
  /** FEN-4: a stranger of the same epoch gets a held lease. */
  "same epoch is enough": {
    rule: "one holder",
    rules: {
      decideLease: (lease, isAlive, asker) =>
        decideLease(asker.epoch === lease.epoch ? { ...lease, holder: asker.holder } : lease, isAlive, asker),
      // Strangers of one epoch are pods of two resources, or of two operators.
      planPods: (facts) => planPods({ ...facts, othersEpoch: 0, lease: { kind: "known", value: undefined } }),
    },
    only: ["number made anew, finalizers removed", "node cut from the api server", "pod force deleted"],
  },
  /** FEN-4: a higher epoch need not wait. */
  "takeover without lapse": {
    rule: "one holder",
    rules: { decideLease: (lease, isAlive, asker) => decideLease(lease, isAlive && asker.epoch <= lease.epoch, asker) },
  },
  /** FEN-5: the lease ends before its holder does. */
  "sending outlives the lease": {
    rule: "one holder",
    rules: { times: { ...realRules.times, stopAfterMs: 20_000 } },
  },
  /** FEN-5: a look at the clocks is no look at the lease. */
  "no look before the wire": {
    rule: "one sender",
    rules: { mayGoOnWire: () => true },
    only: ["connection frozen", "upstream slow to connect", "node cut from messages", "pod force deleted"],
  },
  /** FEN-6: Begin of a term that is over. */
  "begin without the term": {
    rule: "no begin of an older term",
    rules: {
      decideBatch: (items, loaded) => {
        const [item] = items;
        if (item?.kind !== "begin") return decideBatch(items, loaded);
        const leases = new Map([[item.phoneNumberId, { term: item.term, state: "held" as const }]]);
        return decideBatch(items, { ...loaded, leases });
      },
    },
    only: ["a begin arrives late, after its node was cut from messages"],
  },
  /** FEN-7: the wire before the commit. */
  "wire before begin": { rule: "begun before the wire", rules: { beginsFirst: false } },
  /** FEN-2: whoever writes last has the epoch. */
  "epoch without compare-and-swap": {
    rule: "epochs grow",
    rules: { swapsEpoch: false, looksLive: false },
    only: ["a status is written late, another operator leads"],
  },
  /** FEN-11: an absence is taken for a proof. */
  "revoke without proof": {
    rule: "one holder",
    rules: {
      planPods: (facts) => {
        const { pods, podUid = "" } = facts;
        const absent = pods.some(({ uid }) => uid === podUid) ? [] : [podUid];
        return planPods({ ...facts, endedUids: new Set([...facts.endedUids, ...absent]) });
      },
    },
    only: ["pod force deleted", "node object deleted", "node cut off"],
  },
  /** FEN-11: the phase is taken for a proof. */
  "terminal by phase alone": {
    rule: "one holder",
    rules: {
      projectPod: (pod) => {
        const view = projectPod(pod);
        return { ...view, isEnded: view.isEnded || phaseOf(pod) === "Failed" };
      },
    },
    only: ["node object deleted"],
  },
  /** FEN-11: a container that ended is taken for a pod that ended. */
  "terminated while deleted": {
    rule: "one holder",
    rules: {
      projectPod: (pod) => {
        const view = projectPod(pod);
        return { ...view, isEnded: view.isEnded || (view.isDeleting && !view.isStarted) };
      },
    },
    only: ["connection killed, then its pod deleted", "upstream slow to connect"],
  },
  /** The old process goes before the new one is there. */
  "old pod deleted before its successor has the lease": {
    rule: "short gaps",
    rules: {
      planPods: (facts) =>
        planPods(facts.pods.length > 1 ? { ...facts, lease: { kind: "known", value: undefined } } : facts),
    },
    only: ["class changed", "node drained"],
  },
  /** FEN-6: a fenced process asks again instead of ending. */
  "fenced process goes on": {
    rule: "comes to rest",
    rules: {
      nextSession: (state, event) => nextSession(state, event.kind === "handOver" ? { kind: "released" } : event),
    },
    only: ["class changed"],
  },
  /** A silence of a moment is enough. */
  "no patience with a silent pod": {
    rule: "few epochs",
    rules: {
      planPods: (facts) => {
        const { lease } = facts;
        if (lease.kind === "away" || lease.value === undefined) return planPods(facts);
        const silent = facts.pods.map((pod) => ({ ...pod, ageMs: 3_600_000 }));
        return planPods({
          ...facts,
          pods: silent,
          lease: { ...lease, value: { ...lease.value, lapsedForMs: 60_000 } },
        });
      },
    },
  },
  /** Everybody moves at once. */
  "no turns": {
    rule: "moves within the surge",
    rules: { planPods: (facts) => planPods({ ...facts, move: { isAllowed: true }, leave: { isAllowed: true } }) },
    only: ["class changed", "node drained"],
  },
} satisfies Record<string, Mutation>;

/** The first schedule in which the mutation's judge speaks up; undefined: none of them. */
export function provoke(mutation: Mutation, schedules: number): Result | undefined {
  const rules = { ...realRules, ...mutation.rules };
  for (let seed = 1; seed <= schedules; seed++) {
    const result = play({ seed, rules, ...(mutation.only !== undefined && { only: mutation.only }) });
    if (result.violations.some(({ rule }) => rule === mutation.rule)) return result;
  }
  return undefined;
}

function phaseOf({ status }: Parameters<typeof projectPod>[0]): unknown {
  return typeof status === "object" && status !== null && "phase" in status ? status.phase : undefined;
}
