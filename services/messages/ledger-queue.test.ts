import assert from "node:assert/strict";
import { test } from "node:test";
import type { Item } from "./domain/batch.ts";
import { createLedgerQueue, type LedgerQueue } from "./ledger-queue.ts";

const begin: Item = { kind: "begin", phoneNumberId: "101", term: 1, attempts: [{ messageId: "m", attempt: 1 }] };
const sweep = (rows: number): Item => ({ kind: "sweep", messageIds: Array.from({ length: rows }, () => "m") });

function put(queue: LedgerQueue, ...items: Item[]): void {
  for (const item of items) queue.put(item).catch(() => undefined);
}

/** Waits that no test lives through. */
const never = 600_000;

test("alone, an item goes at once; what has gathered goes together", async () => {
  const queue = createLedgerQueue({ hurriedMs: never, patientMs: never });
  const taken = queue.take(false);
  put(queue, begin);
  assert.equal((await taken).length, 1);
  put(queue, begin, sweep(3), begin);
  assert.equal(queue.depth(), 3);
  assert.equal((await queue.take(false)).length, 3);
});

const waits: [sentence: string, item: Item, leastMs: number][] = [
  ["a busy ledger waits for more", sweep(1), 10],
  ["but less long when a message is held up", begin, 3],
];
for (const [sentence, item, leastMs] of waits) {
  test(sentence, async () => {
    const queue = createLedgerQueue();
    put(queue, item);
    const startedAt = performance.now();
    await queue.take(true);
    const tookMs = performance.now() - startedAt;
    // A timer may fire a millisecond early, counted from the start of the event loop's turn.
    assert.ok(tookMs > leastMs - 2, `took ${tookMs} ms`);
  });
}

test("a hurried item brings forward what waits patiently", async () => {
  const queue = createLedgerQueue({ hurriedMs: 1, patientMs: never });
  put(queue, sweep(1));
  const taking = queue.take(true);
  put(queue, begin);
  assert.equal((await taking).length, 2);
});

test("a commit has at most 256 rows, unless one item has more, and what is left has waited enough", async () => {
  const queue = createLedgerQueue({ hurriedMs: never, patientMs: never });
  put(queue, sweep(200), sweep(57), sweep(300), begin);
  const counts: number[] = [];
  while (queue.depth() > 0) counts.push((await queue.take(true)).length);
  assert.deepEqual(counts, [1, 1, 1, 1]);
});

test("a full commit does not wait", async () => {
  const queue = createLedgerQueue({ hurriedMs: never, patientMs: never });
  put(queue, sweep(255));
  const taking = queue.take(true);
  put(queue, sweep(1));
  assert.equal((await taking).length, 2);
});

test("a closed queue takes nothing more and gives out what it has", async () => {
  const queue = createLedgerQueue({ hurriedMs: never, patientMs: never });
  put(queue, begin);
  const taking = queue.take(true);
  queue.close();
  await assert.rejects(queue.put(begin), { code: "UNAVAILABLE" });
  assert.equal((await taking).length, 1);
  assert.equal((await queue.take(true)).length, 0);
});
