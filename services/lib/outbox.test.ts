import assert from "node:assert/strict";
import { after, test } from "node:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Registry } from "prom-client";
import { testLog } from "#test/env/log.ts";
import { privateNats } from "#test/env/nats.ts";
import { privateDatabase } from "#test/env/postgres.ts";
import { until } from "#test/until.ts";
import { connectNats, consume, ensureStream } from "./nats.ts";
import { enqueue, startPublisher } from "./outbox.ts";
import { transaction } from "./postgres.ts";

const database = await privateDatabase();
after(() => database[Symbol.asyncDispose]());
const server = await privateNats();
after(() => server[Symbol.asyncDispose]());
const { pool } = database;
const nc = await connectNats({ url: server.url, name: "test", log: testLog });
after(() => nc[Symbol.asyncDispose]());

await pool.query(`
  create schema demo;
  create table demo.outbox (
    id bigint generated always as identity primary key,
    subject text not null,
    event_id text not null,
    payload bytea not null,
    trace text,
    created_at timestamptz not null
  )`);
await ensureStream(nc, {
  name: "demo",
  subjects: ["demo.>"],
  replicas: 1,
  consumers: [{ durable: "reader", filterSubjects: ["demo.>"] }],
});
const seen: string[] = [];
const reader = consume({
  nc,
  stream: "demo",
  durable: "reader",
  lingerMs: 1,
  log: testLog,
  handle: (events) => {
    seen.push(...events.map(({ data }) => new TextDecoder().decode(data)));
    return Promise.resolve();
  },
});
after(() => reader[Symbol.asyncDispose]());

const event = (name: string): { subject: string; eventId: string; payload: Uint8Array } => ({
  subject: "demo.happened",
  eventId: name,
  payload: new TextEncoder().encode(name),
});

async function rowsLeft(): Promise<number> {
  const { rows } = await pool.query<{ count: number }>("select count(*) as count from demo.outbox");
  return rows[0]?.count ?? -1;
}

test("what a transaction wrote is published in order after it committed, by two copies once", async () => {
  const copies = [0, 1].map(() => startPublisher({ pool, schema: "demo", nc, log: testLog, registry: new Registry() }));
  const names = Array.from({ length: 600 }, (_, index) => `first-${index}`);
  await transaction(pool, (tx) => enqueue(tx, "demo", names.map(event)));
  for (const copy of copies) copy.poke();
  await until(() => seen.length >= 600);
  assert.deepEqual(seen, names);
  assert.equal(await until(async () => (await rowsLeft()) === 0), true);
  for (const copy of copies) await copy[Symbol.asyncDispose]();
});

test("what was rolled back is never published, and the fallback finds rows nobody poked for", async () => {
  await using _publisher = startPublisher({ pool, schema: "demo", nc, log: testLog, registry: new Registry() });
  const lost = transaction(pool, async (tx) => {
    await enqueue(tx, "demo", [event("lost")]);
    throw new Error("rolled back");
  });
  await assert.rejects(lost, /rolled back/);
  await transaction(pool, (tx) => enqueue(tx, "demo", [event("unpoked")]));
  await until(() => seen.includes("unpoked"));
  assert.ok(!seen.includes("lost"));
});

test("an event published before a crash could delete its row is not stored twice", async () => {
  await jetstream(nc).publish("demo.happened", "again", { msgID: "again" });
  await using publisher = startPublisher({ pool, schema: "demo", nc, log: testLog, registry: new Registry() });
  await transaction(pool, (tx) => enqueue(tx, "demo", [event("again"), event("next")]));
  publisher.poke();
  await until(() => seen.includes("next"));
  assert.equal(seen.filter((name) => name === "again").length, 1);
});

test("while NATS is away rows wait and no transaction is held; afterwards they go", async () => {
  await using publisher = startPublisher({ pool, schema: "demo", nc, log: testLog, registry: new Registry() });
  await server.stop();
  await transaction(pool, (tx) => enqueue(tx, "demo", [event("waited")]));
  publisher.poke();
  // A publish that was under way when the server went has its timeout first.
  await until(async () => {
    const { rows } = await pool.query(
      "select 1 from pg_stat_activity where datname = current_database() and state = 'idle in transaction'",
    );
    return rows.length === 0;
  });
  assert.equal(await rowsLeft(), 1);
  await server.start();
  await until(() => seen.includes("waited"), { timeoutMs: 20_000 });
  const manager = await jetstreamManager(nc);
  await until(async () => (await manager.streams.info("demo")).state.messages === 0);
});
