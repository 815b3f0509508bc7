import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { virtualClock } from "#test/virtual-clock.ts";
import { backoffMs } from "./backoff.ts";
import { createRuntimeMetrics } from "./metrics.ts";
import { createQueue } from "./queue.ts";

function setUp() {
  const clock = virtualClock();
  const registry = new Registry();
  const metrics = createRuntimeMetrics(registry);
  const queue = createQueue({ name: "test", clock, random: () => 0.5, metrics });
  return { clock, registry, queue, take: () => queue.take()?.key };
}

test("a key waits once, however often it is added", () => {
  const { queue, take } = setUp();
  for (const key of ["a", "b", "a"]) queue.add(key);
  assert.deepEqual([take(), take(), take()], ["a", "b", undefined]);
});

test("a key that a worker has is not given to another, and comes again when it was added meanwhile", () => {
  const { queue, take } = setUp();
  queue.add("a");
  assert.equal(take(), "a");
  queue.add("a");
  queue.add("a");
  assert.equal(take(), undefined);
  queue.done("a");
  assert.deepEqual([take(), take()], ["a", undefined]);
  queue.done("a");
  assert.equal(take(), undefined);
});

test("the urgent go before the normal, these before the background, and a key takes the most urgent it was added with", () => {
  const { queue, take } = setUp();
  queue.add("resync", { priority: "background" });
  queue.add("deleted", { priority: "background" });
  queue.add("edited");
  queue.add("deleted", { priority: "urgent" });
  queue.add("deleted", { priority: "background" });
  assert.deepEqual([take(), take(), take(), take()], ["deleted", "edited", "resync", undefined]);
});

test("of several delayed adds the earliest counts, and taking a key fulfils them all", async () => {
  const { clock, queue, take } = setUp();
  queue.add("a", { afterMs: 5_000 });
  queue.add("a", { afterMs: 1_000 });
  queue.add("a", { afterMs: 3_000 });
  await clock.advance(999);
  assert.equal(take(), undefined);
  await clock.advance(1);
  assert.equal(take(), "a");
  queue.done("a");
  queue.add("b", { afterMs: 60_000 });
  queue.add("b");
  assert.equal(take(), "b");
  queue.done("b");
  await clock.advance(60_000);
  assert.equal(take(), undefined);
});

test("a delayed add that becomes due while a worker has the key is not lost", async () => {
  const { clock, queue, take } = setUp();
  queue.add("a");
  take();
  queue.add("a", { afterMs: 1_000 });
  await clock.advance(1_000);
  assert.equal(take(), undefined);
  queue.done("a");
  assert.equal(take(), "a");
});

test("a failing key waits twice as long each time, up to five minutes, and from the start again after a success", async () => {
  const { clock, queue, take } = setUp();
  const waits: number[] = [];
  const failOnce = async (): Promise<void> => {
    const startMs = clock.monotonicMs();
    queue.retry("a");
    while (take() === undefined) await clock.advance(500);
    queue.done("a");
    waits.push((clock.monotonicMs() - startMs) / 1_000);
  };
  for (let failure = 0; failure < 11; failure += 1) await failOnce();
  queue.forget("a");
  await failOnce();
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 1]);
});

test("waits of the same length are spread by a fifth to both sides", () => {
  const limits = { firstMs: 1_000, mostMs: 300_000 };
  assert.equal(Math.round(backoffMs(1, limits, () => 0)), 800);
  assert.equal(Math.round(backoffMs(99, limits, () => 1)), 360_000);
});

test("when everything fails at once, 500 keys come again after their own wait and the rest 100 a second", async () => {
  const { clock, queue } = setUp();
  for (let index = 0; index < 800; index += 1) queue.retry(`key-${index}`);
  await clock.advance(1_000);
  assert.equal(queue.depth(), 600);
  await clock.advance(1_000);
  assert.equal(queue.depth(), 700);
  await clock.advance(1_000);
  assert.equal(queue.depth(), 800);
});

test("a listener is told of each key that becomes due", async () => {
  const { clock, queue } = setUp();
  let told = 0;
  queue.onReady(() => (told += 1));
  queue.add("a");
  queue.add("b", { afterMs: 10 });
  await clock.advance(10);
  assert.equal(told, 2);
});

test("metrics tell how long keys wait and how long workers have them", async () => {
  const { clock, registry, queue, take } = setUp();
  for (const key of ["a", "b", "c"]) queue.add(key);
  await clock.advance(4_000);
  take();
  await clock.advance(1_000);
  take();
  await clock.advance(1_000);
  const text = await registry.metrics();
  assert.match(text, /^workqueue_queue_duration_seconds_sum\{name="test"\} 9$/m);
  assert.match(text, /^workqueue_depth\{name="test"\} 1$/m);
  assert.match(text, /^workqueue_unfinished_work_seconds\{name="test"\} 3$/m);
  assert.match(text, /^workqueue_longest_running_processor_seconds\{name="test"\} 2$/m);
});
