import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { testLog } from "#test/env/log.ts";
import { virtualClock } from "#test/virtual-clock.ts";
import { ApiError } from "./api-error.ts";
import { createController, type Outcome, type Work } from "./controller.ts";
import { createRuntimeMetrics } from "./metrics.ts";
import { createQueue } from "./queue.ts";

function setUp(execute: (work: Work) => Promise<Outcome>, workers = 2) {
  const clock = virtualClock();
  const metrics = createRuntimeMetrics(new Registry());
  const queue = createQueue({ name: "test", clock, random: () => 0.5, metrics });
  const controller = createController({
    name: "test",
    queue,
    workers,
    clock,
    metrics,
    log: testLog,
    observe: (work) => Promise.resolve(work),
    plan: (work) => work,
    execute: (work) => execute(work),
  });
  return { clock, metrics, queue, controller };
}

async function resultsOf({ reconciles }: ReturnType<typeof createRuntimeMetrics>): Promise<Record<string, number>> {
  const { values } = await reconciles.get();
  return Object.fromEntries(values.map(({ labels, value }) => [String(labels["result"]), value]));
}

test("nothing is done before the start, and then by so many workers, never two at one key", async () => {
  const running = new Set<string>();
  let most = 0;
  let isTwice = false;
  const { clock, queue, controller } = setUp(async ({ key, signal }) => {
    isTwice ||= running.has(key);
    running.add(key);
    most = Math.max(most, running.size);
    await new Promise<void>((resolve) => clock.after(100, resolve));
    assert.ok(!signal.aborted);
    running.delete(key);
    return { kind: "done" };
  });
  for (const key of ["a", "b", "c"]) queue.add(key);
  await clock.advance(1_000);
  assert.equal(most, 0);
  controller.start();
  for (let again = 0; again < 5; again += 1) {
    queue.add("a");
    await clock.advance(50);
  }
  await clock.advance(1_000);
  assert.deepEqual([most, isTwice, running.size], [2, false, 0]);
});

const outcomes: [sentence: string, make: () => Promise<Outcome>, result: string, againMs: number | undefined][] = [
  ["done waits for an event", () => Promise.resolve({ kind: "done" }), "success", undefined],
  ["requeue looks again then", () => Promise.resolve({ kind: "requeue", afterMs: 7_000 }), "requeue_after", 7_000],
  ["retry comes again by its back-off", () => Promise.resolve({ kind: "retry", why: "away" }), "error", 1_000],
  [
    "terminal waits for a change",
    () => Promise.resolve({ kind: "terminal", why: "no such account" }),
    "error",
    undefined,
  ],
  ["a throw is a retry", () => Promise.reject(new Error("boom")), "error", 1_000],
  ["a conflict is no error", () => Promise.reject(new ApiError(409, "Conflict", "old")), "requeue", 1_000],
];
for (const [sentence, make, result, againMs] of outcomes) {
  test(sentence, async () => {
    const times: number[] = [];
    const { clock, metrics, queue, controller } = setUp(() => {
      times.push(clock.monotonicMs());
      return times.length === 1 ? make() : Promise.resolve({ kind: "done" });
    });
    controller.start();
    queue.add("a");
    await clock.advance(400_000);
    assert.deepEqual(times, againMs === undefined ? [0] : [0, againMs]);
    assert.deepEqual(await resultsOf(metrics), againMs === undefined ? { [result]: 1 } : { [result]: 1, success: 1 });
    assert.equal((await metrics.reconcileErrors.get()).values[0]?.value ?? 0, result === "error" && againMs ? 1 : 0);
  });
}

test("a change during a reconcile that fails is worked on at once, and once", async () => {
  const times: number[] = [];
  const { clock, queue, controller } = setUp(async () => {
    times.push(clock.monotonicMs());
    await new Promise<void>((resolve) => clock.after(100, resolve));
    return times.length === 1 ? { kind: "retry", why: "away" } : { kind: "done" };
  });
  controller.start();
  queue.add("a");
  await clock.advance(50);
  queue.add("a");
  await clock.advance(10_000);
  assert.deepEqual(times, [0, 100]);
});

test("a reconcile is aborted when its time is up, and tried again", async () => {
  const abortedAt: number[] = [];
  const { clock, queue, controller } = setUp(
    ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          abortedAt.push(clock.monotonicMs());
          reject(new Error("aborted"));
        });
      }),
  );
  controller.start();
  queue.add("a");
  await clock.advance(62_000);
  assert.deepEqual(abortedAt, [30_000, 61_000]);
});

test("a stop lets reconciles end, aborts them after 10 s, and begins no more", async () => {
  const begun: string[] = [];
  const { clock, queue, controller } = setUp(({ key, signal }) => {
    begun.push(key);
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve({ kind: "done" })));
  }, 1);
  controller.start();
  queue.add("a");
  queue.add("b");
  const stopped = controller[Symbol.asyncDispose]();
  let isStopped = false;
  void stopped.then(() => (isStopped = true));
  await clock.advance(9_999);
  assert.equal(isStopped, false);
  await clock.advance(1);
  await stopped;
  assert.deepEqual(begun, ["a"]);
});

test("halt aborts at once", async () => {
  let isAborted = false;
  const { clock, queue, controller } = setUp(({ signal }) => {
    signal.addEventListener("abort", () => (isAborted = true));
    return new Promise<Outcome>(() => undefined);
  });
  controller.start();
  queue.add("a");
  await clock.advance(1);
  controller.halt();
  assert.ok(isAborted);
});
