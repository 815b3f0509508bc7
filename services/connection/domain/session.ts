// The life of a connection process, by its lease. What is asked of the outside is an effect; session.ts does them.
//
// | state           | event                | becomes         | effects       |
// | --------------- | -------------------- | --------------- | ------------- |
// | standby         | granted              | held            | send          |
// | standby         | fenced               | ended 42        | end           |
// | standby         | stop                 | standby leaving | stopAsking    |
// | standby leaving | granted              | releasing       | release       |
// | standby leaving | unanswered           | ended 0         | end           |
// | held            | handOver, stop       | draining        | drain         |
// | held            | fenced               | draining fenced | forbid, drain |
// | draining        | fenced               | draining fenced | forbid        |
// | draining        | drained              | releasing       | release       |
// | draining fenced | drained              | ended 42        | end           |
// | releasing       | released             | ended 0         | end           |
//
// Everything else changes nothing. It only moves forward: who has begun to leave never sends again.
import { type Backoff, backoffMs } from "./backoff.ts";

export type SessionState =
  /** `isLeaving`: told to stop, while an answer that may be a grant is on its way. */
  | { tag: "standby"; isLeaving: boolean }
  | { tag: "held"; term: bigint }
  /** `isFenced`: another term was granted, there is nothing to give back. */
  | { tag: "draining"; term: bigint; isFenced: boolean }
  | { tag: "releasing"; term: bigint }
  | { tag: "ended"; exitCode: number };

export type SessionEvent =
  | { kind: "granted"; term: bigint }
  /** Told to stop, and asked for the last time without a grant. */
  | { kind: "unanswered" }
  /** A newer term, or a higher epoch, has the number. */
  | { kind: "fenced" }
  /** Asked to end by the messages service, since another process waits. */
  | { kind: "handOver" }
  /** Asked to end by whoever runs the process. */
  | { kind: "stop" }
  /** Nothing is on the wire any more, and everything is reported that could be. */
  | { kind: "drained" }
  /** Given back, or left to lapse. */
  | { kind: "released" };

export type SessionEffect =
  | "send"
  | "stopAsking"
  /** From this moment nothing goes on the wire. */
  | "forbid"
  /** Begin nothing new, then say `drained`. */
  | "drain"
  | "release"
  | "end";

export type SessionStep = { state: SessionState; effects: readonly SessionEffect[] };

/** Tells the operator that the pod is of an epoch that is over. */
export const fencedExitCode = 42;

export const firstState: SessionState = { tag: "standby", isLeaving: false };

export function nextSession(state: SessionState, event: SessionEvent): SessionStep {
  switch (state.tag) {
    case "standby":
      return fromStandby(state, event);
    case "held":
      return fromHeld(state, event);
    case "draining":
      return fromDraining(state, event);
    case "releasing":
      return event.kind === "released" ? end(0) : stay(state);
    case "ended":
      return stay(state);
  }
}

function fromStandby(state: Extract<SessionState, { tag: "standby" }>, event: SessionEvent): SessionStep {
  const { isLeaving } = state;
  if (event.kind === "fenced") return end(fencedExitCode);
  if (event.kind === "stop" && !isLeaving) {
    return { state: { tag: "standby", isLeaving: true }, effects: ["stopAsking"] };
  }
  if (event.kind === "unanswered" && isLeaving) return end(0);
  if (event.kind !== "granted") return stay(state);
  const { term } = event;
  return isLeaving
    ? { state: { tag: "releasing", term }, effects: ["release"] }
    : { state: { tag: "held", term }, effects: ["send"] };
}

function fromHeld(state: Extract<SessionState, { tag: "held" }>, event: SessionEvent): SessionStep {
  const { term } = state;
  if (event.kind === "fenced")
    return { state: { tag: "draining", term, isFenced: true }, effects: ["forbid", "drain"] };
  const isAsked = event.kind === "handOver" || event.kind === "stop";
  return isAsked ? { state: { tag: "draining", term, isFenced: false }, effects: ["drain"] } : stay(state);
}

function fromDraining(state: Extract<SessionState, { tag: "draining" }>, event: SessionEvent): SessionStep {
  if (event.kind === "fenced" && !state.isFenced) return { state: { ...state, isFenced: true }, effects: ["forbid"] };
  if (event.kind !== "drained") return stay(state);
  if (state.isFenced) return end(fencedExitCode);
  return { state: { tag: "releasing", term: state.term }, effects: ["release"] };
}

function stay(state: SessionState): SessionStep {
  return { state, effects: [] };
}

function end(exitCode: number): SessionStep {
  return { state: { tag: "ended", exitCode }, effects: ["end"] };
}

const acquireBackoff: Backoff = { firstMs: 200, factor: 2, maxMs: 5_000 };
// While another holds the lease and does not say when to ask again.
const askAgainMs = 5_000;

/** How Acquire went, when it was no grant; `failures` in a row. */
export type NotGranted = { kind: "held"; retryAfterMs: number } | { kind: "failed"; failures: number };

/** When to ask for the lease again. `random` is 0 to 1. */
export function askAgainInMs(answer: NotGranted, random: number): number {
  return answer.kind === "held"
    ? answer.retryAfterMs || askAgainMs
    : backoffMs(acquireBackoff, answer.failures, random);
}
