// What the ledger does while NATS or its connections to Postgres are gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { until } from "#test/until.ts";
import { acquire, declare, outcome, status, textTo, useStage } from "./test-messages.ts";

const now = new Date("2026-03-02T10:00:00Z");
const on = useStage(() => now);

test("without NATS messages still go out and statuses come in, and the news catch up", async () => {
  const phoneNumberId = "301";
  await declare(on.client, phoneNumberId);
  const { term } = await acquire(on.client, phoneNumberId);
  await on.stage.natsServer.stop();
  const { messageId } = await on.client.send(textTo(now, phoneNumberId));
  const { messageIds } = await on.client.begin({ phoneNumberId, term, attempts: [{ messageId, attempt: 1 }] });
  assert.deepEqual(messageIds, [messageId]);
  await on.client.finish({
    phoneNumberId,
    term,
    outcomes: [outcome(messageId, { case: "taken", value: { wamid: "wamid.up" } })],
  });
  await on.client.ingest({ statuses: [status(messageId, "delivered", { phoneNumberId })] });
  assert.equal((await on.client.getMessage({ messageId })).message?.state, MessageState.DELIVERED);
  await on.stage.natsServer.start();
  const verbs = await until(async () => {
    const news = await on.stage.news(messageId);
    return news.length === 2 && news.map(({ verb }) => verb);
  });
  assert.deepEqual(verbs, ["sent", "delivered"]);
});

test("connections to Postgres that died while idle cost no caller anything", async () => {
  const phoneNumberId = "302";
  await declare(on.client, phoneNumberId);
  await on.client.send(textTo(now, phoneNumberId));
  await on.stage.database.pool.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like 'messages%'",
  );
  const answers = await Promise.all(Array.from({ length: 10 }, () => on.client.send(textTo(now, phoneNumberId))));
  assert.ok(answers.every(({ repeated }) => !repeated));
});

test("rows held by a frozen transaction hold up only those who need them", async () => {
  await declare(on.client, "303");
  await declare(on.client, "304");
  const { term } = await acquire(on.client, "303");
  const { messageId } = await on.client.send(textTo(now, "303"));
  const frozen = await on.stage.database.pool.connect();
  await frozen.query("begin");
  await frozen.query("select from messages.leases where phone_number_id = '303' for update");
  const held = on.client.begin({ phoneNumberId: "303", term, attempts: [{ messageId, attempt: 1 }] });
  const rejected = assert.rejects(held, { code: "UNAVAILABLE", reason: "rows_locked" });
  await on.client.send(textTo(now, "304"));
  await rejected;
  await frozen.query("rollback");
  frozen.release();
  const { messageIds } = await on.client.begin({ phoneNumberId: "303", term, attempts: [{ messageId, attempt: 1 }] });
  assert.deepEqual(messageIds, [messageId]);
});
