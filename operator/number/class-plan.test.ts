import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConnectionClass } from "../api/v1alpha1/connection-class.ts";
import { defaultClassSpec } from "./class.ts";
import { planClass } from "./class-plan.ts";
import { rulesOf } from "./controller.ts";
import { createFleet } from "./fleet.ts";
import { settings } from "./test-facts.ts";

const pauseSeconds = 300;
const started = new Date("2026-03-02T10:00:00Z");
const spec = { ...defaultClassSpec, canary: { count: 1, pauseSeconds } };

type Status = NonNullable<ConnectionClass["status"]>;

/** What the class says `seconds` later, and whether its canaries are over then. */
function later(status: Status | undefined, movedUnready: number, seconds: number) {
  const now = new Date(started.getTime() + seconds * 1_000);
  const metadata = { name: "fast", namespace: "team", uid: "uid", resourceVersion: "1", generation: 1 };
  const resource = { metadata, spec, ...(status !== undefined && { status }) };
  const counts = { size: 3, moving: 0, takingOver: 0, moved: 1, movedUnready, lastReadyMs: 0 };
  const fleet = createFleet(() => 0);
  const rules = rulesOf({ kind: "found", name: "fast", spec, status }, settings, fleet, now);
  return { status: planClass({ resource, counts, rules, now }).status, isOver: rules.wasCanaryOver };
}

test("a canary that fails within its pause begins it anew, and one that was Ready throughout ends it for good", () => {
  const ready = later(undefined, 0, 0);
  const failing = later(ready.status, 1, 60);
  assert.equal(later(failing.status, 1, pauseSeconds + 60).isOver, false);
  const again = later(failing.status, 0, 120);
  assert.equal(later(again.status, 0, pauseSeconds).isOver, false);
  const over = later(again.status, 0, pauseSeconds + 120);
  assert.equal(over.isOver, true);
  const failingLater = later(over.status, 1, pauseSeconds + 180);
  assert.deepEqual([failingLater.isOver, failingLater.status.rollout], [true, over.status.rollout]);
});
