import assert from "node:assert/strict";
import { test } from "node:test";
import { createGatherer } from "./gather.ts";

/** A gatherer whose batches are kept, and answered when the test lets them. */
function collecting(max = 3, lingerMs = 20) {
  const batches: number[][] = [];
  let open = Promise.resolve();
  const gatherer = createGatherer<number, number>({
    max,
    lingerMs,
    async run(items) {
      batches.push([...items]);
      await open;
      return items.map((item) => item * 10);
    },
  });
  return { batches, add: gatherer.add, hold: (until: Promise<void>): void => void (open = until) };
}

test("a call that is alone goes at once", async () => {
  const { batches, add } = collecting(3, 60_000);
  assert.equal(await add(1), 10);
  assert.equal(await add(2), 20);
  assert.deepEqual(batches, [[1], [2]]);
});

test("calls made together go together, each with its own result", async () => {
  const { batches, add } = collecting();
  assert.deepEqual(await Promise.all([add(1), add(2)]), [10, 20]);
  assert.deepEqual(batches, [[1, 2]]);
});

test("what comes while a batch is under way goes with the next, and none is larger than it may be", async () => {
  const { batches, add, hold } = collecting();
  const gate = Promise.withResolvers<void>();
  hold(gate.promise);
  const first = add(1);
  await Promise.resolve();
  const others = [2, 3, 4, 5].map(add);
  gate.resolve();
  assert.deepEqual(await Promise.all([first, ...others]), [10, 20, 30, 40, 50]);
  assert.deepEqual(batches, [[1], [2, 3, 4], [5]]);
});

test("after a batch of several the next call waits a little for more", async () => {
  const { batches, add } = collecting(2, 60_000);
  await Promise.all([add(1), add(2)]);
  const third = add(3);
  await new Promise(setImmediate);
  assert.equal(batches.length, 1);
  await Promise.all([third, add(4)]);
  assert.deepEqual(batches, [
    [1, 2],
    [3, 4],
  ]);
});

test("a failure goes to every call of its batch and to no other", async () => {
  let count = 0;
  const { add } = createGatherer<number, number>({
    max: 3,
    lingerMs: 0,
    async run(items) {
      count += 1;
      if (count === 1) throw new Error("away");
      return items;
    },
  });
  const [first, second] = await Promise.allSettled([add(1), add(2)]);
  assert.deepEqual([first.status, second.status], ["rejected", "rejected"]);
  assert.equal(await add(3), 3);
});
