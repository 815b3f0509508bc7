// In which order claims give what is due, and what they read for it, on a real Postgres.
import assert from "node:assert/strict";
import { test } from "node:test";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Queryable, transaction } from "#lib/postgres.ts";
import type { ClaimResponse } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { createClaims } from "./claims.ts";
import { dayOf, firstMessageId } from "./domain/partitions.ts";
import { countQueued } from "./store/claim.ts";
import { acquire, declare, drawId, outcome, textTo, useStage } from "./test-messages.ts";

let now = new Date("2026-03-02T10:00:00Z");
const on = useStage(() => now);

function pass(seconds: number): void {
  now = new Date(now.getTime() + seconds * 1_000);
}

/** A number with messages to these users, in this order; what is claimed of them is told by its place. */
async function queue(phoneNumberId: string, users: readonly number[]) {
  await declare(on.client, phoneNumberId);
  const { term } = await acquire(on.client, phoneNumberId);
  const messageIds: string[] = [];
  for (const user of users) {
    const send = textTo(now, phoneNumberId, { recipient: `49151000000${user}` });
    await on.client.send(send);
    messageIds.push(send.messageId);
  }
  return {
    /** Puts one back, as before it was begun. */
    async putBack(at: number, seconds: number): Promise<void> {
      const until = timestampFromDate(new Date(now.getTime() + seconds * 1_000));
      const wait = { case: "wait", value: { until, reason: "pair_paced" } } as const;
      await on.client.finish({ phoneNumberId, term, outcomes: [outcome(messageIds[at] ?? "", wait)] });
    },
    async begin(at: number): Promise<void> {
      await on.client.begin({ phoneNumberId, term, attempts: [{ messageId: messageIds[at] ?? "", attempt: 1 }] });
    },
    /** By the present holder, or by a new one. */
    async claim({ limit = 10, by = term } = {}): Promise<string[]> {
      const { messages } = await on.client.claim({ phoneNumberId, term: by, replyLimit: limit });
      const order = messages.map(({ seq }) => Number(seq));
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      );
      return messages.map(
        ({ messageId, wasWaiting }) => `${messageIds.indexOf(messageId)}${wasWaiting ? " waited" : ""}`,
      );
    },
    async changeHands(): Promise<bigint> {
      return (await acquire(on.client, phoneNumberId)).term;
    },
  };
}

test("what was put back comes again at its place of acceptance, before all that was accepted meanwhile", async () => {
  const { putBack, claim } = await queue("601", [0, 1, 2, 3]);
  await putBack(1, 5);
  await putBack(2, 5);
  assert.deepEqual(await claim(), ["0", "3"]);
  pass(5);
  assert.deepEqual(await claim(), ["0", "1 waited", "2 waited", "3"]);
  assert.deepEqual(await claim({ limit: 2 }), ["0", "1 waited"]);
});

test("what is behind a waiting message is not given until that one is begun, to a new holder neither", async () => {
  const { putBack, begin, claim, changeHands } = await queue("602", [0, 1, 0, 0, 2]);
  await putBack(0, 5);
  assert.deepEqual(await claim(), ["1", "4"]);
  pass(5);
  assert.deepEqual(await claim(), ["0 waited", "1", "4"]);
  await begin(0);
  assert.deepEqual(await claim(), ["1", "2", "3", "4"]);
  await putBack(0, 60);
  assert.deepEqual(await claim({ by: await changeHands() }), ["1", "4"]);
});

test("an unknown message holds nothing that is behind it", async () => {
  const { begin, claim, changeHands } = await queue("603", [0, 0]);
  await begin(0);
  assert.deepEqual(await claim({ by: await changeHands() }), ["1"]);
});

type Rows = { phoneNumberId: string; from: number; count: number; recipient: string; state: string; dueInMs: string };

/** Rows as Send and Finish leave them; `recipient`, `state` and `dueInMs` are expressions of the row's number `at`. */
async function fill({ phoneNumberId, from, count, recipient, state, dueInMs }: Rows): Promise<void> {
  const { pool } = on.stage.database;
  await pool.query(
    `insert into messages.messages (
        message_id, phone_number_id, recipient, lane, state, attempt, term, due_at, expires_at, category,
        template_name, template_language, campaign, client_callback_data, context_wamid, reason, accepted_at
      )
      select
        ($4 || '-7000-8000-' || lpad($1, 4, '0') || lpad(to_hex(at), 8, '0'))::uuid, $1, ${recipient}, 'reply',
        ${state}, 0, 0, $5::timestamptz + ${dueInMs} * interval '1 ms', $5::timestamptz + interval '1 day', '', '', '',
        '', '', '', '', $5
      from generate_series($2::integer, $2::integer + $3::integer - 1) as at`,
    [phoneNumberId, from, count, firstMessageId(dayOf(now).from).slice(0, 13), now],
  );
}

/** How many rows of the ledger's tables this reads. */
async function rowsRead(run: (tx: Queryable) => Promise<void>): Promise<number> {
  const { pool } = on.stage.database;
  await pool.query("analyze messages.messages");
  return transaction(pool, async (tx) => {
    await run(tx);
    const { rows } = await tx.query<{ read: number }>(`
      select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer as read
      from pg_stat_xact_user_tables
      where schemaname = 'messages' and relname like 'messages%'`);
    return rows[0]?.read ?? Number.NaN;
  });
}

function asked(phoneNumberId: string) {
  const floor = firstMessageId(dayOf(now).from);
  return { phoneNumberId, heldMessageIds: [drawId(now)], replyLimit: 100, bulkLimit: 100, now, floor };
}

test("of a long queue, half of which waits for later, a claim reads what it answers", async () => {
  const phoneNumberId = "604";
  const state = "case when at % 2 = 0 then 'accepted' else 'waiting' end";
  const dueInMs = "case when at % 2 = 0 then 0 else 3600000 end";
  await fill({ phoneNumberId, from: 1, count: 40_000, recipient: "'user' || at", state, dueInMs });
  const read = await rowsRead(async (tx) => {
    const { rows } = await createClaims(tx)(asked(phoneNumberId));
    assert.equal(rows.length, 100);
    await countQueued(tx, phoneNumberId, 100);
  });
  assert.ok(read <= 1_000, `${read} rows`);
});

test("the long queue of a user behind a waiting message holds up nobody else, and is not read through", async () => {
  const phoneNumberId = "605";
  const busy = { phoneNumberId, recipient: "'4915100'", dueInMs: "3600000" };
  await fill({ ...busy, from: 1, count: 1, state: "'waiting'" });
  await fill({ ...busy, from: 2, count: 20_000, state: "'accepted'", dueInMs: "0" });
  const others = { phoneNumberId, state: "'accepted'", dueInMs: "0" };
  await fill({ ...others, from: 30_000, count: 50, recipient: "'4915' || 900 - at % 5" });
  const recipientsOf = (rows: readonly { recipient: string }[]): string[] => rows.map(({ recipient }) => recipient);
  const read = await rowsRead(async (tx) => {
    const { rows, moreUsersInMs } = await createClaims(tx)(asked(phoneNumberId));
    assert.equal(rows.length, 50);
    assert.ok(!recipientsOf(rows).includes("4915100"));
    const order = rows.map(({ seq }) => seq);
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
    assert.equal(moreUsersInMs, 200);
  });
  assert.ok(read <= 2_000, `${read} rows`);
  // Its turn comes, and then it is as all others are.
  await on.stage.database.pool.query(
    "update messages.messages set state = 'sent' where phone_number_id = $1 and state = 'waiting'",
    [phoneNumberId],
  );
  const { rows } = await createClaims(on.stage.database.pool)(asked(phoneNumberId));
  assert.deepEqual(new Set(recipientsOf(rows)), new Set(["4915100"]));
});

test("where more users are held up than a claim looks at, the next claims come to the others", async () => {
  const phoneNumberId = "606";
  await declare(on.client, phoneNumberId);
  const { term } = await acquire(on.client, phoneNumberId);
  const heldUp = { phoneNumberId, recipient: "'4915' || 10000 + at % 250" };
  await fill({ ...heldUp, from: 1, count: 250, state: "'waiting'", dueInMs: "3600000" });
  await fill({ ...heldUp, from: 1_001, count: 500, state: "'accepted'", dueInMs: "0" });
  await fill({ phoneNumberId, from: 3_000, count: 2, recipient: "'4916000'", state: "'accepted'", dueInMs: "0" });
  const claim = (heldMessageIds: string[] = []) =>
    on.client.claim({ phoneNumberId, term, replyLimit: 100, heldMessageIds });
  const claimed = [await claim(), await claim(), await claim()];
  assert.deepEqual(
    claimed.map(({ messages }) => messages.length),
    [0, 0, 2],
  );
  const [first] = claimed;
  const dueInMs = ({ nextDueAt }: ClaimResponse): number =>
    nextDueAt === undefined ? Infinity : timestampDate(nextDueAt).getTime() - now.getTime();
  assert.ok(first !== undefined && dueInMs(first) < 1_000);
  // Two rounds that find nothing more, and it is quiet until the waits are over.
  const ids = claimed.flatMap(({ messages }) => messages.map(({ messageId }) => messageId));
  const waits: number[] = [];
  for (let round = 0; round < 6; round += 1) waits.push(dueInMs(await claim(ids)));
  assert.ok(
    waits.some((waitMs) => waitMs >= 3_600_000),
    waits.join(" "),
  );
});
