// The hourly sweep on a real table.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import type { Pool } from "#lib/postgres.ts";
import { createRegistry } from "#lib/http.ts";
import { testLog } from "#test/env/log.ts";
import { type PrivateDatabase, privateDatabase } from "#test/env/postgres.ts";
import { createMetrics } from "./metrics.ts";
import { insertDeliveries, markDelivered, saveFailures } from "./store.ts";
import { applySubscription, listSubscriptions, removeSubscription } from "./subscription-store.ts";
import { sweep } from "./sweep.ts";

const start = new Date("2026-11-01T00:00:00Z");
const daysLater = (days: number): Date => new Date(start.getTime() + days * 86_400_000);
const metrics = createMetrics(createRegistry("test"));
let database: PrivateDatabase;
let db: Pool;

before(async () => {
  database = await privateDatabase({ services: ["webhooks"] });
  db = database.pool;
});

after(() => database[Symbol.asyncDispose]());

beforeEach(() => db.query("truncate webhooks.deliveries, webhooks.failed_attempts, webhooks.subscriptions"));

async function subscribe(): Promise<number> {
  const filter = { events: [], phoneNumberIds: [], wabaIds: [] };
  const spec = {
    name: "crm",
    url: "http://x/",
    dialect: "cloud" as const,
    ...filter,
    secrets: [],
    previousSecretsEndAt: undefined,
  };
  await applySubscription(db, { ...spec, keepTryingSeconds: 345_600, timeoutMs: 1_000, concurrency: 1 }, start);
  const [subscription] = await listSubscriptions(db);
  assert.ok(subscription);
  return subscription.subscriptionId;
}

async function insert(subscriptionId: number, eventId: string, at: Date): Promise<number> {
  const delivery = { subscriptionId, eventId, orderKey: eventId, body: Buffer.from("{}"), leaseMs: 0 };
  const [inserted] = await insertDeliveries(db, [delivery], randomUUID(), at);
  assert.ok(inserted);
  return inserted.deliveryId;
}

async function sweepAt(now: Date): Promise<void> {
  const retention = { deliveredHours: 168, deadHours: 720 };
  await sweep({ db, retention, metrics, now: () => now, log: testLog }, new AbortController().signal);
}

async function left(): Promise<string[]> {
  const { rows } = await db.query<{ event_id: string; state: string }>(
    "select event_id, state from webhooks.deliveries order by delivery_id",
  );
  return rows.map(({ event_id: eventId, state }) => `${eventId} ${state}`);
}

test("delivered ones go after a week, dead ones after a month, with their failed attempts", async () => {
  const subscriptionId = await subscribe();
  const [delivered, dead, young] = [
    await insert(subscriptionId, "delivered", start),
    await insert(subscriptionId, "dead", start),
    await insert(subscriptionId, "young", daysLater(5)),
  ];
  await markDelivered(db, [
    { subscriptionId, deliveryId: delivered, finishedAt: start },
    { subscriptionId, deliveryId: young, finishedAt: daysLater(5) },
  ]);
  const failure = { attempt: 1, failedAt: start, status: 500, reason: "HTTP 500", dueAt: undefined };
  await saveFailures(db, [{ subscriptionId, deliveryId: dead, ...failure }]);
  await sweepAt(daysLater(6.9));
  assert.deepEqual(await left(), ["delivered delivered", "dead dead", "young delivered"]);
  await sweepAt(daysLater(7.1));
  assert.deepEqual(await left(), ["dead dead", "young delivered"]);
  await sweepAt(daysLater(30.1));
  assert.deepEqual(await left(), []);
  const { rows } = await db.query("select 1 from webhooks.failed_attempts");
  assert.equal(rows.length, 0);
});

test("what waits longer than its subscription tries is dead, and kept as such", async () => {
  const subscriptionId = await subscribe();
  await insert(subscriptionId, "old", start);
  await insert(subscriptionId, "new", daysLater(3));
  await sweepAt(daysLater(4));
  assert.deepEqual(await left(), ["old waiting", "new waiting"]);
  await sweepAt(daysLater(4.1));
  assert.deepEqual(await left(), ["old dead", "new waiting"]);
});

test("what waits is never deleted, however old, unless its subscription is removed", async () => {
  const subscriptionId = await subscribe();
  for (let count = 0; count < 3; count += 1) await insert(subscriptionId, `event ${count}`, daysLater(9));
  await sweepAt(daysLater(9));
  await removeSubscription(db, "crm", daysLater(9));
  await sweepAt(daysLater(9));
  assert.deepEqual(await left(), []);
  await sweepAt(daysLater(10));
  const { rows } = await db.query("select 1 from webhooks.subscriptions");
  assert.equal(rows.length, 0);
});
