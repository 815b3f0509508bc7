import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { askAgainInMs, firstState, nextSession, type SessionEvent, type SessionState } from "./session.ts";

const term = 7n;
const standby: SessionState = { tag: "standby", isLeaving: false };
const leaving: SessionState = { tag: "standby", isLeaving: true };
const held: SessionState = { tag: "held", term };
const draining: SessionState = { tag: "draining", term, isFenced: false };
const drainingFenced: SessionState = { tag: "draining", term, isFenced: true };
const releasing: SessionState = { tag: "releasing", term };
const ended: SessionState = { tag: "ended", exitCode: 0 };
const endedFenced: SessionState = { tag: "ended", exitCode: 42 };

const granted: SessionEvent = { kind: "granted", term };
const events: SessionEvent[] = [
  granted,
  { kind: "unanswered" },
  { kind: "fenced" },
  { kind: "handOver" },
  { kind: "stop" },
  { kind: "drained" },
  { kind: "released" },
];

type Row = [before: SessionState, kind: SessionEvent["kind"], after: SessionState, effects: string[]];

const moves: Row[] = [
  [standby, "granted", held, ["send"]],
  [standby, "fenced", endedFenced, ["end"]],
  [standby, "stop", leaving, ["stopAsking"]],
  [leaving, "granted", releasing, ["release"]],
  [leaving, "unanswered", ended, ["end"]],
  [leaving, "fenced", endedFenced, ["end"]],
  [held, "handOver", draining, ["drain"]],
  [held, "stop", draining, ["drain"]],
  [held, "fenced", drainingFenced, ["forbid", "drain"]],
  [draining, "fenced", drainingFenced, ["forbid"]],
  [draining, "drained", releasing, ["release"]],
  [drainingFenced, "drained", endedFenced, ["end"]],
  [releasing, "released", ended, ["end"]],
];

const nameOf = (state: SessionState): string =>
  [state.tag, "isLeaving" in state && state.isLeaving && "leaving", "isFenced" in state && state.isFenced && "fenced"]
    .filter((part) => part !== false)
    .join(" ");

for (const before of [standby, leaving, held, draining, drainingFenced, releasing, ended]) {
  for (const event of events) {
    const [, , after = before, effects = []] =
      moves.find(([from, kind]) => from === before && kind === event.kind) ?? [];
    test(`${nameOf(before)}, ${event.kind}: ${nameOf(after)}`, () => {
      assert.deepEqual(nextSession(before, event), { state: after, effects });
    });
  }
}

test("whatever happens, it begins to send at most once and ends at most once", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...events), { maxLength: 30 }), (happened) => {
      let state = firstState;
      const done: string[] = [];
      for (const event of happened) {
        const step = nextSession(state, event);
        state = step.state;
        done.push(...step.effects);
      }
      for (const once of ["send", "drain", "release", "end"])
        assert.ok(done.filter((effect) => effect === once).length <= 1);
      assert.ok(!done.includes("drain") || done.includes("send"));
    }),
    { numRuns: 2_000 },
  );
});

test("the lease is asked for again when the holder's time may be over, and at the latest after 5 s", () => {
  assert.equal(askAgainInMs({ kind: "held", retryAfterMs: 1_200 }, 0), 1_200);
  assert.equal(askAgainInMs({ kind: "held", retryAfterMs: 0 }, 0), 5_000);
  assert.equal(askAgainInMs({ kind: "failed", failures: 1 }, 0), 200);
  assert.equal(askAgainInMs({ kind: "failed", failures: 20 }, 0), 5_000);
});
