import assert from "node:assert/strict";
import { test } from "node:test";
import type { Standing } from "./class-counts.ts";
import type { LeaseFacts } from "./facts.ts";
import { standingOf } from "./standing.ts";
import { connectionWith, podWith } from "./test-facts.ts";

type Given = Parameters<typeof standingOf>[0];

const lease = (epoch: number, changes: Partial<LeaseFacts> = {}): Given["lease"] => ({
  kind: "known",
  value: connectionWith({ epoch, holder: `uid-${epoch}`, ...changes }),
});
const away: Given["lease"] = { kind: "away", service: "messages", why: "no connection" };
const gaveUp = { epoch: 4, specHash: "spec", tries: 1, why: "no node takes it", retryAt: new Date(0) };
const standby = podWith(4, { isReady: false });
const facts = (changes: Partial<Given>): Given => ({
  className: "fast",
  epoch: 4,
  specHash: "spec",
  pods: [podWith(3), standby],
  lease: lease(3),
  ...changes,
});

const settled = { isMoving: false, isTakingOver: false, isMoved: true, isReady: true };
const moving = { isMoving: true, isTakingOver: false, isMoved: true, isReady: false };

const cases: Record<string, { given: Partial<Given>; counts: Omit<Standing, "className"> | undefined }> = {
  "a number without pods does not count": { given: { pods: [] }, counts: undefined },
  "one whose newest pod has the lease is settled": {
    given: { pods: [podWith(4)], lease: lease(4) },
    counts: settled,
  },
  "one of an older spec has not moved": {
    given: { pods: [podWith(4, { specHash: "old" })], lease: lease(4) },
    counts: { ...settled, isMoved: false },
  },
  "one whose newest pod waits for an older one moves": { given: {}, counts: moving },
  "one whose next pod was not seen yet, or is gone before it came, moves": {
    given: { pods: [podWith(3, { specHash: "old" })] },
    counts: { ...moving, isMoved: false, isReady: true },
  },
  "one that waits for a lease which lapsed is taken over": {
    given: { lease: lease(3, { lapsedForMs: 5_000 }) },
    counts: { ...moving, isMoving: false, isTakingOver: true },
  },
  "one whose standby was given up does not move, and is a canary that failed": {
    given: { pods: [podWith(3, { specHash: "old", gaveUp })] },
    counts: { ...moving, isMoving: false },
  },
  "one whose standby was given up on the way off a node is as good as it was": {
    given: { pods: [podWith(3, { gaveUp })] },
    counts: settled,
  },
  "messages is away: two pods are a move, one is none": { given: { lease: away }, counts: moving },
  "messages is away: one pod is no move": {
    given: { lease: away, pods: [podWith(4)] },
    counts: { ...settled, isReady: false },
  },
};

for (const [sentence, { given, counts }] of Object.entries(cases)) {
  test(sentence, () => assert.deepEqual(standingOf(facts(given)), counts && { className: "fast", ...counts }));
}
