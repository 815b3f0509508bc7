// In which order claims give what is due, and what they read for it, on a real Postgres.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { transaction } from "#lib/postgres.ts";
import { dayOf, firstMessageId } from "./domain/partitions.ts";
import { claimMessages, countQueued, loadClaimFrame } from "./store/claim.ts";
import {
  acquire,
  declare,
  drawId,
  type MessagesClient,
  openStage,
  outcome,
  type Stage,
  textTo,
} from "./test-messages.ts";

let now = new Date("2026-03-02T10:00:00Z");
const opened = new AsyncDisposableStack();
let stage: Stage;
let client: MessagesClient;

before(async () => {
  stage = opened.use(await openStage(() => now));
  ({ client } = await stage.start());
});
after(() => opened.disposeAsync());

function pass(seconds: number): void {
  now = new Date(now.getTime() + seconds * 1_000);
}

/** A number with messages to these users, in this order; what is claimed of them is told by its place. */
async function queue(phoneNumberId: string, users: readonly number[]) {
  await declare(client, phoneNumberId);
  const { term } = await acquire(client, phoneNumberId);
  const messageIds: string[] = [];
  for (const user of users) {
    const send = textTo(now, phoneNumberId, { recipient: `49151000000${user}` });
    await client.send(send);
    messageIds.push(send.messageId);
  }
  return {
    /** Puts one back, as before it was begun. */
    async putBack(at: number, seconds: number): Promise<void> {
      const until = timestampFromDate(new Date(now.getTime() + seconds * 1_000));
      const wait = { case: "wait", value: { until, reason: "pair_paced" } } as const;
      await client.finish({ phoneNumberId, term, outcomes: [outcome(messageIds[at] ?? "", wait)] });
    },
    async begin(at: number): Promise<void> {
      await client.begin({ phoneNumberId, term, attempts: [{ messageId: messageIds[at] ?? "", attempt: 1 }] });
    },
    /** By the present holder, or by a new one. */
    async claim({ limit = 10, by = term } = {}): Promise<string[]> {
      const { messages } = await client.claim({ phoneNumberId, term: by, replyLimit: limit });
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
      return (await acquire(client, phoneNumberId)).term;
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

/** So many messages to as many users, of which every other one waits until long after now. */
async function fill(phoneNumberId: string, count: number): Promise<void> {
  const { pool } = stage.database;
  await pool.query(
    `insert into messages.messages (
        message_id, phone_number_id, recipient, lane, state, attempt, term, due_at, expires_at, category,
        template_name, template_language, campaign, client_callback_data, context_wamid, reason, accepted_at
      )
      select
        ($3 || '-7000-8000-' || lpad(to_hex(at), 12, '0'))::uuid, $1, 'user' || at, 'reply',
        case when at % 2 = 0 then 'accepted' else 'waiting' end, 0, 0,
        $4::timestamptz + case when at % 2 = 0 then interval '0' else interval '1 h' end,
        $4::timestamptz + interval '1 day', '', '', '', '', '', '', '', $4
      from generate_series(1, $2::integer) as at`,
    [phoneNumberId, count, firstMessageId(dayOf(now).from).slice(0, 13), now],
  );
  await pool.query("analyze messages.messages");
}

test("of a long queue, half of which waits for later, a claim reads what it answers", async () => {
  const phoneNumberId = "604";
  await fill(phoneNumberId, 40_000);
  const floor = firstMessageId(dayOf(now).from);
  const asked = { phoneNumberId, heldMessageIds: [drawId(now)], replyLimit: 100, bulkLimit: 100, now, floor };
  const read = await transaction(stage.database.pool, async (tx) => {
    assert.equal((await claimMessages(tx, asked)).length, 100);
    await loadClaimFrame(tx, asked);
    await countQueued(tx, phoneNumberId, 100);
    const { rows } = await tx.query<{ read: number }>(`
      select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer as read
      from pg_stat_xact_user_tables
      where schemaname = 'messages' and relname like 'messages%'`);
    return rows[0]?.read ?? Number.NaN;
  });
  assert.ok(read <= 500, `${read} rows`);
});
