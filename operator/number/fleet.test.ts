import assert from "node:assert/strict";
import { test } from "node:test";
import type { Standing } from "./class-counts.ts";
import { type ClassRules, createFleet } from "./fleet.ts";

const rules: ClassRules = {
  surge: { percent: 50, min: 1, max: 2 },
  canary: { count: 1, pauseMs: 60_000 },
  revision: "new",
  wasCanaryOver: false,
};
const settled: Standing = { className: "fast", isMoving: false, isTakingOver: false, isMoved: false, isReady: true };
const moving: Standing = { ...settled, isMoving: true, isMoved: true, isReady: false };
const moved: Standing = { ...settled, isMoved: true };

function setUp() {
  let nowMs = 1_000_000;
  const fleet = createFleet(() => nowMs);
  for (const key of ["a", "b", "c", "d", "e"]) fleet.note(key, settled);
  const mayMove = (changes: Partial<ClassRules> = {}): boolean =>
    fleet.turns("fast", { ...rules, ...changes }).move.isAllowed;
  return { fleet, mayMove, advance: (ms: number) => void (nowMs += ms) };
}

test("the canary first, then, when it was Ready for long enough, as many as the surge allows", () => {
  const { fleet, mayMove, advance } = setUp();
  assert.ok(mayMove());
  fleet.note("a", moving);
  assert.ok(!mayMove());
  fleet.note("a", moved);
  assert.ok(!mayMove());
  assert.equal(fleet.canaryLeftMs("fast", rules), 60_000);
  advance(60_000);
  assert.ok(mayMove());
  fleet.note("b", moving);
  assert.ok(mayMove(), "the canaries are over, whatever becomes of later numbers");
  fleet.note("c", moving);
  assert.ok(!mayMove());
  assert.ok(mayMove({ canary: undefined, surge: { percent: 100, min: 1, max: 9 } }));
});

test("another revision needs its canaries anew", () => {
  const { fleet, mayMove, advance } = setUp();
  fleet.note("a", moved);
  advance(60_000);
  assert.ok(mayMove());
  fleet.note("a", { ...moved, isReady: false });
  assert.ok(mayMove());
  assert.ok(!mayMove({ revision: "newer" }));
});

test("an operator that starts anew has not seen the canaries, unless the class' status tells of them", () => {
  const { fleet, mayMove } = setUp();
  assert.equal(createFleet(() => 0).turns("fast", rules).move.isAllowed, true);
  fleet.note("a", moved);
  assert.ok(!mayMove());
  assert.ok(mayMove({ wasCanaryOver: true }));
});

test("silent pods are replaced up to the most that the surge ever allows", () => {
  const { fleet } = setUp();
  const turn = () => fleet.turns("fast", rules).takeover;
  fleet.note("a", { ...settled, isTakingOver: true });
  assert.ok(turn().isAllowed);
  fleet.note("b", { ...settled, isTakingOver: true });
  assert.ok(!turn().isAllowed);
  fleet.note("b", undefined);
  assert.ok(turn().isAllowed);
});
