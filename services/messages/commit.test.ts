// What a commit leaves behind when Postgres refuses its begin but runs what was sent along with it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Queryable } from "#lib/postgres.ts";
import { commitBatch } from "./commit.ts";
import type { Item } from "./domain/batch.ts";
import { openStage } from "./test-messages.ts";

const now = new Date("2026-03-02T10:00:00Z");
const register = {
  placeOf: (phoneNumberId: string) => ({ phoneNumberId, wabaId: "500", displayPhoneNumber: "15550000000" }),
  policyOf: () => ({ unknownPolicy: "fail" as const, unknownTimeoutMs: 600_000, finishTimeoutMs: 60_000 }),
  isPassThrough: () => false,
};

test("a begin that is refused leaves no inbound message stored without its news", async () => {
  await using stage = await openStage(() => now);
  await stage.start();
  const { pool } = stage.database;
  const others: Promise<unknown>[] = [];
  const refusing: Queryable = {
    query(query, values) {
      if (query === "begin") return Promise.reject(new Error("canceling statement due to statement timeout"));
      const asked = pool.query<never>(query, values);
      others.push(asked);
      return asked;
    },
  };
  const item: Item = {
    kind: "ingest",
    reports: [],
    inbound: [
      {
        wamid: "wamid.lone",
        phoneNumberId: "901",
        wabaId: "500",
        from: "15550001111",
        profileName: "",
        at: now,
        type: "text",
        messageJson: Buffer.from("{}"),
        contextMessageId: undefined,
      },
    ],
    accountNews: [],
    unparsed: [],
  };
  await assert.rejects(commitBatch([item], { tx: refusing, register, now }), /statement timeout/);
  await Promise.allSettled(others);
  const { rows } = await pool.query("select wamid from messages.inbound");
  assert.deepEqual(rows, []);
});
