import assert from "node:assert/strict";
import { test } from "node:test";
import { createEndpointQueue } from "./endpoint-queue.ts";

type Item = { deliveryId: number; orderKey: string; attempt: number; followed: boolean };

function item(deliveryId: number, orderKey: string, attempt = 1): Item {
  return { deliveryId, orderKey, attempt, followed: false };
}

function queueOf(...items: Item[]) {
  const queue = createEndpointQueue<Item>();
  for (const each of items) queue.add(each);
  return queue;
}

test("different keys go at once, in the order they came", () => {
  const queue = queueOf(item(1, "a"), item(2, "b"));
  assert.deepEqual([queue.take()?.deliveryId, queue.take()?.deliveryId, queue.take()], [1, 2, undefined]);
});

test("of one key the next goes only after the one before is delivered", () => {
  const [sent, delivered] = [item(1, "a"), item(2, "a")];
  const queue = queueOf(sent, delivered);
  assert.equal(queue.take(), sent);
  assert.equal(queue.take(), undefined);
  queue.finish(sent);
  assert.equal(queue.take(), delivered);
  queue.finish(delivered);
  assert.equal(queue.size, 0);
});

test("one that fails takes those that follow it along, and nobody else", () => {
  const [sent, delivered, read, other] = [item(1, "a"), item(2, "a"), item(3, "a"), item(4, "b")];
  const queue = queueOf(sent, delivered, read, other);
  queue.take();
  assert.deepEqual(queue.leave(sent), [delivered, read]);
  assert.equal(queue.take(), other);
  assert.equal(queue.size, 1);
});

test("a key is free again after its line has left", () => {
  const [first, second] = [item(1, "a"), item(2, "a")];
  const queue = queueOf(first);
  queue.take();
  queue.leave(first);
  queue.add(second);
  assert.equal(queue.take(), second);
});

test("first tries go before retries, one turn in four is a retry's", () => {
  const queue = queueOf(
    item(1, "a", 2),
    item(2, "b", 3),
    ...[3, 4, 5, 6, 7].map((deliveryId) => item(deliveryId, `first ${deliveryId}`)),
  );
  const order = Array.from({ length: 7 }, () => queue.take()?.deliveryId);
  assert.deepEqual(order, [3, 4, 5, 1, 6, 7, 2]);
});

test("clear leaves what is under way, and gives back the rest", () => {
  const [sent, delivered, other] = [item(1, "a"), item(2, "a"), item(3, "b")];
  const queue = queueOf(sent, delivered, other);
  queue.take();
  assert.deepEqual(queue.clear(), [delivered, other]);
  assert.equal(queue.take(), undefined);
  assert.deepEqual([queue.has(1), queue.has(2), queue.has(3), queue.size], [true, false, false, 1]);
  queue.finish(sent);
  assert.equal(queue.size, 0);
  assert.deepEqual([sent.followed, other.followed], [true, false]);
});

test("the last of a line is told that more of its key waits in the table", () => {
  const [sent, delivered] = [item(1, "a"), item(2, "a")];
  const queue = queueOf(sent, delivered);
  queue.markFollowed("a");
  queue.markFollowed("b");
  assert.deepEqual([sent.followed, delivered.followed], [false, true]);
});
