// Claims on a real table: what becomes of them when the answer to a statement is lost.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { type Pool, transaction } from "#lib/postgres.ts";
import { type PrivateDatabase, privateDatabase } from "#test/env/postgres.ts";
import { until } from "#test/until.ts";
import { claimDeliveries, insertDeliveries, markDelivered, releaseDeliveries, saveFailures } from "./store.ts";

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

/** In the order of insertion. */
async function allIds(): Promise<number[]> {
  const text = "select delivery_id from webhooks.deliveries order by delivery_id";
  const { rows } = await db.query<{ delivery_id: number }>(text);
  return rows.map((row) => row.delivery_id);
}

const savings: [name: string, save: (deliveryIds: number[], claimId: string) => Promise<void>][] = [
  [
    "successes",
    (ids) =>
      markDelivered(
        db,
        ids.map((id) => ({ ...keyOf(id), finishedAt: now })),
      ),
  ],
  [
    "claims given back",
    (ids, claimId) =>
      releaseDeliveries(
        db,
        ids.map((id) => ({ ...keyOf(id), claimId })),
      ),
  ],
  [
    "failures",
    (ids) => {
      const failure = { attempt: 1, failedAt: now, status: 500, reason: "500", dueAt: now };
      return saveFailures(
        db,
        ids.map((id) => ({ ...keyOf(id), ...failure })),
      );
    },
  ],
];
const keyOf = (deliveryId: number) => ({ subscriptionId, deliveryId });

for (const [name, save] of savings) {
  test(`${name} lock their rows in key order, whatever order they are given in`, async () => {
    const claimId = await insert(...Array.from({ length: 2_000 }, (_, index) => String(index)));
    await db.query("analyze webhooks.deliveries");
    const [first = 0, second = 0] = await allIds();
    const saving = await transaction(db, async (tx) => {
      await tx.query("select from webhooks.deliveries where delivery_id = $1 for update", [first]);
      const pending = save([second, first], claimId);
      await until(async () => {
        const waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        return (await db.query(waiting)).rowCount === 1;
      });
      await tx.query("select from webhooks.deliveries where delivery_id = $1 for update nowait", [second]);
      return { pending };
    });
    await saving.pending;
  });
}

async function onlyId(): Promise<number> {
  const { rows } = await db.query<{ delivery_id: number }>("select delivery_id from webhooks.deliveries");
  assert.equal(rows.length, 1);
  return rows[0]?.delivery_id ?? 0;
}
