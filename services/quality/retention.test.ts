// What is forgotten of the messaging limit, on a real table.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { type Pool, transaction } from "#lib/postgres.ts";
import { type PrivateDatabase, privateDatabase } from "#test/env/postgres.ts";
import { until } from "#test/until.ts";
import { deleteOldReservations } from "./limit-store.ts";
import { reserve } from "./reserve.ts";
import { sweepScopes } from "./retention.ts";
import { deleteNumbers, insertNumbers } from "./store.ts";

const start = new Date("2026-03-02T12:00:00Z");
const minute = 60_000;
const { signal } = new AbortController();
let database: PrivateDatabase;
let db: Pool;

before(async () => {
  database = await privateDatabase({ services: ["quality"] });
  db = database.pool;
});

after(() => database[Symbol.asyncDispose]());

const at = (ms: number): Date => new Date(start.getTime() + ms);

async function reserveFor(phoneNumberId: string, users: number, now: Date): Promise<void> {
  const items = Array.from({ length: users }, (_, index) => ({ messageId: randomUUID(), userId: String(index) }));
  await reserve(db, { phoneNumberId, items }, now);
}

async function sweepAll(now: Date): Promise<void> {
  while (await sweepScopes(db, now, signal));
}

/** By scope: the count, and how many users there are. */
async function scopes(): Promise<unknown[]> {
  const { rows } = await db.query(`
    select scope_id, used, (select count(*) from quality.limit_users u where u.scope_id = s.scope_id) as users
    from quality.limit_scopes s order by scope_id`);
  return rows;
}

test("users whose time has passed leave scopes where nobody reserves, and nobody else does", async () => {
  await reserveFor("1", 2_300, start);
  await reserveFor("2", 3, at(10 * minute));
  await sweepAll(at(15 * minute));
  assert.deepEqual(await scopes(), [
    { scope_id: "1", used: 0, users: 0 },
    { scope_id: "2", used: 3, users: 3 },
  ]);
});

test("the scope of a removed number goes when nothing can concern it any more, and comes back with the number", async () => {
  await transaction(db, (tx) => deleteNumbers(tx, ["1", "2"]));
  await sweepAll(at(60 * minute));
  assert.equal((await scopes()).length, 2);
  await deleteOldReservations(db, { lapsedBefore: at(60 * minute), limit: 5_000 });
  await sweepAll(at(60 * minute));
  assert.deepEqual(await scopes(), []);
  await reserveFor("1", 1, at(60 * minute));
  assert.deepEqual(await scopes(), [{ scope_id: "1", used: 1, users: 1 }]);
});

test("a number that comes while its scope is swept has a scope", async () => {
  await db.query("insert into quality.limit_scopes (scope_id) values ('9')");
  let isSwept = false;
  const { sweeping } = await transaction(db, async (tx) => {
    await insertNumbers(tx, ["9"], start);
    const swept = sweepScopes(db, start, signal).then(() => (isSwept = true));
    const waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    await until(async () => isSwept || (await db.query(waiting)).rowCount === 1);
    return { sweeping: swept };
  });
  await sweeping;
  assert.deepEqual(await scopes(), [
    { scope_id: "1", used: 1, users: 1 },
    { scope_id: "9", used: 0, users: 0 },
  ]);
});
