// Numbers that wait for their turn. They are woken as turns become free, so that a fleet which waits costs nothing.
import type { Key } from "../runtime/objects.ts";
import type { ClassRules, Fleet } from "./fleet.ts";
import type { NumberPlan } from "./plan.ts";
import { surgeOf } from "./rollout.ts";

export type Waiters = {
  /** Notes whether the number waits, wakes others if there is room, and says when to look again. */
  attend(key: Key, className: string, rules: ClassRules, plan: NumberPlan, hasBegun: boolean): NumberPlan;
  leave(key: Key): void;
};

/** Looks at other numbers. */
const patience = 1_000;

export function createWaiters(fleet: Fleet, wake: (key: Key) => void): Waiters {
  const waiting = new Map<string, Set<Key>>();
  const classOf = new Map<Key, string>();
  /** By class: those that were woken and have not been looked at since, with the look at which they were. */
  const called = new Map<string, Map<Key, number>>();
  let looks = 0;

  function leave(key: Key): void {
    waiting.get(classOf.get(key) ?? "")?.delete(key);
    classOf.delete(key);
    for (const calls of called.values()) calls.delete(key);
  }

  /** One that cannot be looked at gives its room back after a while. */
  function callsOf(className: string): Map<Key, number> {
    const calls = called.get(className) ?? new Map<Key, number>();
    called.set(className, calls);
    for (const [key, look] of calls) {
      if (looks - look <= patience) break;
      calls.delete(key);
    }
    return calls;
  }

  /** As many as there is room for; each asks for its turn itself. */
  function wakeSome(className: string, rules: ClassRules): void {
    const keys = waiting.get(className);
    if (keys === undefined || keys.size === 0) return;
    const { size, moving } = fleet.countsOf(className);
    const calls = callsOf(className);
    // Room that a woken one is about to take is no room: else every look at another number gives it away again.
    let room = surgeOf(rules.surge, size) - moving - calls.size;
    for (const key of keys) {
      if (room <= 0) return;
      room -= 1;
      leave(key);
      calls.set(key, looks);
      wake(key);
    }
  }

  return {
    leave,
    attend(key, className, rules, plan, hasBegun) {
      const isWaiting = plan.waitsFor !== undefined && !hasBegun;
      looks += 1;
      leave(key);
      if (isWaiting) {
        classOf.set(key, className);
        const keys = waiting.get(className) ?? new Set();
        waiting.set(className, keys.add(key));
      }
      const { leave: isRoom } = fleet.turns(className, rules);
      if (isRoom.isAllowed && !isWaiting) wakeSome(className, rules);
      const isAwaited = (waiting.get(className)?.size ?? 0) > 0;
      const leftMs = isAwaited && !isWaiting ? fleet.canaryLeftMs(className, rules) : undefined;
      if (leftMs === undefined) return plan;
      return { ...plan, lookAgainMs: Math.min(plan.lookAgainMs ?? leftMs, leftMs) };
    },
  };
}
