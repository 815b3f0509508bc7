// What the ledger forgets: days that were kept long enough, and what pass-through numbers sent and received.
import assert from "node:assert/strict";
import { test } from "node:test";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { consume } from "#lib/nats.ts";
import { MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { testLog } from "#test/env/log.ts";
import { until } from "#test/until.ts";
import { acquire, declare, openStage, outcome, type Stage, textTo, wabaId } from "./test-messages.ts";

const dayMs = 86_400_000;

async function partitions({ database }: Stage): Promise<string[]> {
  const { rows } = await database.pool.query<{ relname: string }>(`
    select relname from pg_class
    where relnamespace = 'messages'::regnamespace and relkind = 'r' and relname ~ '_[0-9]{8}$'`);
  return rows.map(({ relname }) => relname);
}

async function contents({ database }: Stage, messageId: string): Promise<number> {
  const { rows } = await database.pool.query("select from messages.contents where message_id = $1", [messageId]);
  return rows.length;
}

test("a clock that was days ahead when the process started loses nothing that is accepted later", async () => {
  const start = new Date("2026-03-02T10:00:00Z");
  let now = new Date(start.getTime() + 3 * dayMs);
  await using stage = await openStage(() => now);
  const phoneNumberId = "704";
  await using copy = await stage.start();
  await declare(copy.client, phoneNumberId);
  now = start;
  const { messageId } = await copy.client.send(textTo(now, phoneNumberId));
  const { term } = await acquire(copy.client, phoneNumberId);
  const { messages } = await copy.client.claim({ phoneNumberId, term, replyLimit: 1, bulkLimit: 1 });
  assert.deepEqual(
    messages.map((message) => message.messageId),
    [messageId],
  );
});

test("days go when they were kept long enough, contents first, but not as long as a message is open", async () => {
  const start = new Date("2026-03-02T10:00:00Z");
  let now = start;
  await using stage = await openStage(() => now);
  const phoneNumberId = "701";
  let messageId = "";
  let openId = "";
  // What was begun stays so.
  const patient = { FINISH_TIMEOUT_MS: String(200 * dayMs) };
  {
    await using copy = await stage.start(patient);
    await declare(copy.client, phoneNumberId);
    ({ messageId } = await copy.client.send(textTo(now, phoneNumberId)));
    await copy.client.cancelMessages({ messageId });
    now = new Date(start.getTime() + dayMs);
    ({ messageId: openId } = await copy.client.send(textTo(now, phoneNumberId)));
    const { term } = await acquire(copy.client, phoneNumberId);
    await copy.client.begin({ phoneNumberId, term, attempts: [{ messageId: openId, attempt: 1 }] });
  }
  const restart = async (days: number): Promise<string[]> => {
    now = new Date(start.getTime() + days * dayMs);
    await using _copy = await stage.start(patient);
    return until(async () => {
      const names = await partitions(stage);
      return !names.includes("contents_20260302") && !names.includes("inbound_20260302") && names;
    });
  };
  const after32 = await restart(32);
  assert.ok(after32.includes("messages_20260302"), "ids and states are kept longer");
  assert.ok(after32.includes("contents_20260303"), "what is still open keeps its day");
  assert.equal(await contents(stage, openId), 1);
  now = new Date(start.getTime() + 92 * dayMs);
  await using last = await stage.start(patient);
  await until(async () => !(await partitions(stage)).includes("messages_20260302"));
  assert.ok((await partitions(stage)).includes("messages_20260303"));
  await assert.rejects(last.client.getMessage({ messageId }), { reason: "message_unknown" });
});

test("a pass-through number keeps what it sends until that is sent, and what it receives until all have read it", async () => {
  await using stage = await openStage(() => new Date());
  const { client } = await stage.start({ FORGET_EVERY_MS: "50" });
  const [passing, storing] = ["702", "703"];
  await declare(client, passing, { contentPolicy: "pass_through" });
  await declare(client, storing);
  const known: Record<string, string[]> = {};
  for (const phoneNumberId of [passing, storing]) {
    const { messageId } = await client.send(textTo(new Date(), phoneNumberId));
    const { term } = await acquire(client, phoneNumberId);
    const attempts = [{ messageId, attempt: 1 }];
    await client.begin({ phoneNumberId, term, attempts });
    assert.equal(await contents(stage, messageId), 1, "it may have to be sent again");
    await client.finish({
      phoneNumberId,
      term,
      outcomes: [outcome(messageId, { case: "taken", value: { wamid: `wamid.${messageId}` } })],
    });
    const { message } = await client.getMessage({ messageId });
    assert.equal(message?.state, MessageState.SENT);
    known[phoneNumberId] = [messageId];
    await client.ingest({
      inbound: [
        {
          phoneNumberId,
          wabaId,
          wamid: `wamid.in.${phoneNumberId}`,
          from: "4915112345678",
          at: timestampFromDate(new Date()),
          type: "text",
          messageJson: Buffer.from("{}"),
        },
      ],
    });
  }
  assert.equal(await contents(stage, known[passing]?.[0] ?? ""), 0);
  assert.equal(await contents(stage, known[storing]?.[0] ?? ""), 1);

  const written = async (): Promise<string[]> => {
    const { rows } = await stage.database.pool.query<{ phone_number_id: string }>(
      "select phone_number_id from messages.inbound where message_json is not null order by phone_number_id",
    );
    return rows.map(({ phone_number_id }) => phone_number_id);
  };
  await using readers = new AsyncDisposableStack();
  const read = (durable: string): void => {
    readers.use(consume({ nc: stage.nats, stream: "WA", durable, log: testLog, handle: async () => undefined }));
  };
  for (const durable of ["templates", "billing", "quality"]) read(durable);
  await until(async () => (await stage.events()).every(({ subject }) => !subject.startsWith("wa.number.")));
  assert.deepEqual(await written(), [passing, storing], "webhooks have not read it yet");
  read("webhooks");
  await until(async () => (await written()).length === 1);
  assert.deepEqual(await written(), [storing]);
});
