// The floor of what can be open, on a real database: it may rise late, but never stays above a message.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { transaction } from "#lib/postgres.ts";
import { testLog } from "#test/env/log.ts";
import { privateDatabase } from "#test/env/postgres.ts";
import { until } from "#test/until.ts";
import { startDays } from "./days.ts";
import { firstMessageId } from "./domain/partitions.ts";

const dayMs = 86_400_000;
const monday = new Date("2026-03-02T00:00:00Z");
const daysLater = (days: number): Date => new Date(monday.getTime() + days * dayMs);
const floorOf = (days: number): string => firstMessageId(daysLater(days));

const database = await privateDatabase({ services: ["messages"] });
after(() => database[Symbol.asyncDispose]());
const { pool: db } = database;

test("a copy whose clock was ahead looks again at the days that it took for done", async () => {
  let now = daysLater(9);
  await using days = await startDays({ db, now: () => now, everyMs: 20, log: testLog });
  await until(() => days.floor() > floorOf(6));
  now = daysLater(5);
  await until(() => days.floor() <= floorOf(4));
});

test("what is ensured while days are looked through is not passed over", async () => {
  {
    await using _ = await startDays({ db, now: () => daysLater(5), everyMs: 3_600_000, log: testLog });
  }
  const now = daysLater(14);
  await using days = await transaction(db, async (tx) => {
    await tx.query("lock table messages.messages_20260307 in access exclusive mode");
    const starting = await startDays({ db, now: () => now, everyMs: 3_600_000, log: testLog });
    const before = starting.floor();
    await until(async () => (await db.query("select from pg_locks where not granted")).rows.length > 0);
    await starting.ensure(daysLater(5.5));
    assert.equal(starting.floor(), before);
    return starting;
  });
  const before = days.floor();
  await until(() => days.floor() !== before);
  assert.equal(days.floor(), floorOf(5));
});
