// Claims on a real table: what becomes of them when the answer to a statement is lost.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import type { Pool } from "#lib/postgres.ts";
import { type PrivateDatabase, privateDatabase } from "#test/env/postgres.ts";
import { claimDeliveries, insertDeliveries, releaseDeliveries } from "./store.ts";

const now = new Date("2026-11-22T12:00:00Z");
const subscriptionId = 1;
const leaseMs = 60_000;
let database: PrivateDatabase;
let db: Pool;

before(async () => {
  database = await privateDatabase({ services: ["webhooks"] });
  db = database.pool;
});

after(() => database[Symbol.asyncDispose]());

beforeEach(() => db.query("truncate webhooks.deliveries"));

/** The claim's id. */
async function insert(...eventIds: string[]): Promise<string> {
  const claimId = randomUUID();
  const news = eventIds.map((eventId) => ({
    subscriptionId,
    eventId,
    orderKey: eventId,
    body: Buffer.from("{}"),
    leaseMs,
  }));
  await insertDeliveries(db, news, claimId, now);
  return claimId;
}

async function claim(lostClaimIds: readonly string[] = []) {
  const claimed = await claimDeliveries(
    db,
    [{ subscriptionId, room: 10, leaseMs }],
    { claimId: randomUUID(), lostClaimIds },
    now,
  );
  return claimed.toSorted((a, b) => a.deliveryId - b.deliveryId);
}

test("what a lost insert claimed is taken up again at once, and is still the first attempt", async () => {
  const lost = await insert("lost");
  await insert("held");
  assert.deepEqual(await claim(), []);
  const found = await claim([lost]);
  assert.deepEqual(
    found.map(({ eventId, attempt }) => [eventId, attempt]),
    [["lost", 1]],
  );
  assert.deepEqual(await claim([lost]), []);
});

test("a claim that is given back twice is freed once, and never under another's hands", async () => {
  const first = await insert("one");
  const released = [{ subscriptionId, deliveryId: await onlyId(), claimId: first }];
  await releaseDeliveries(db, released);
  const [second] = await claim();
  assert.equal(second?.attempt, 1);
  await releaseDeliveries(db, released);
  assert.deepEqual(await claim(), []);
});

async function onlyId(): Promise<number> {
  const { rows } = await db.query<{ delivery_id: number }>("select delivery_id from webhooks.deliveries");
  assert.equal(rows.length, 1);
  return rows[0]?.delivery_id ?? 0;
}
