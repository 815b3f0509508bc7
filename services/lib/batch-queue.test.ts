import assert from "node:assert/strict";
import { test } from "node:test";
import { createBatchQueue } from "./batch-queue.ts";

function queueOf(options: { batch: number; lingerMs: number }): ReturnType<typeof createBatchQueue<number>> {
  return createBatchQueue<number>({ keyOf: (item) => item, ...options });
}

test("a full batch is ready at once", async () => {
  const queue = queueOf({ batch: 2, lingerMs: 60_000 });
  for (const item of [1, 2, 3]) queue.push(item);
  assert.deepEqual(await queue.next(), [1, 2]);
});

test("a single item waits for company, but not for ever", async () => {
  const queue = queueOf({ batch: 10, lingerMs: 5 });
  const next = queue.next();
  queue.push(1);
  assert.deepEqual(await next, [1]);
});

test("a batch that is not done comes again with what arrived since", async () => {
  const queue = queueOf({ batch: 3, lingerMs: 1 });
  queue.push(1);
  assert.deepEqual(await queue.next(), [1]);
  queue.push(2);
  assert.deepEqual(await queue.next(), [1, 2]);
  queue.done([1]);
  assert.deepEqual(await queue.next(), [2]);
});

test("an item that is still held is not taken twice; one that is done may come again", () => {
  const queue = queueOf({ batch: 3, lingerMs: 1 });
  queue.push(1);
  queue.push(1);
  assert.deepEqual(queue.rest(), [1]);
  queue.done([1]);
  queue.push(1);
  assert.deepEqual(queue.rest(), [1]);
});

test("closing ends a waiting reader with nothing and keeps the rest", async () => {
  const queue = queueOf({ batch: 3, lingerMs: 60_000 });
  const next = queue.next();
  queue.push(1);
  queue.close();
  assert.deepEqual(await next, []);
  assert.deepEqual(queue.rest(), [1]);
});

test("an older item that comes late goes first, and does not disturb the batch in hand", async () => {
  const queue = queueOf({ batch: 2, lingerMs: 60_000 });
  for (const item of [5, 4]) queue.push(item);
  const inHand = await queue.next();
  assert.deepEqual(inHand, [4, 5]);
  for (const item of [6, 3]) queue.push(item);
  queue.done(inHand);
  assert.deepEqual(await queue.next(), [3, 6]);
});
