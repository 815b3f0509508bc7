// Postgres loses commits: an earlier state of the ledger is put back while holders, WhatsApp and JetStream know more than it does.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { transaction } from "#lib/postgres.ts";
import { type Message, MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { until } from "#test/until.ts";
import {
  acquire,
  backUp,
  type Copy,
  declare,
  drawId,
  openStage,
  outcome,
  type Stage,
  status,
  textTo,
} from "./test-messages.ts";

let now = new Date("2026-03-02T10:00:00Z");
const opened = new AsyncDisposableStack();
let stage: Stage;
let copy: Copy;
const env = { LEASE_MS: "600", STOP_AFTER_MS: "400", RENEW_EVERY_MS: "200" };

before(async () => {
  stage = opened.use(await openStage(() => now));
  copy = await stage.start(env);
});
after(() => opened.disposeAsync());

async function accept(phoneNumberId: string, recipient: string): Promise<string> {
  return (await copy.client.send(textTo(now, phoneNumberId, { recipient }))).messageId;
}

async function begin(phoneNumberId: string, term: bigint, messageId: string, attempt = 1): Promise<string[]> {
  return (await copy.client.begin({ phoneNumberId, term, attempts: [{ messageId, attempt }] })).messageIds;
}

async function look(messageId: string): Promise<Message> {
  const { message } = await copy.client.getMessage({ messageId });
  assert.ok(message);
  return message;
}

/** To a process that has just started: one whose lease was ended does not come back. */
async function granted(phoneNumberId: string, holder: string) {
  const bootId = drawId(now);
  return until(async () => {
    const asked = { phoneNumberId, holder, bootId, epoch: 1n, address: `${holder}:1` };
    const { result } = await copy.client.acquire(asked);
    return result.case === "granted" && result.value;
  });
}

test("what an earlier ledger may have forgotten is never sent again, and statuses tell what became of it", async () => {
  const phoneNumberId = "301";
  const late = "302";
  await declare(copy.client, phoneNumberId, { unknownPolicy: "resend" });
  await declare(copy.client, late);
  const { term } = await acquire(copy.client, phoneNumberId, "pod-a");
  const report = (messageId: string, kind: Parameters<typeof outcome>[1], attempt = 1, of = term) =>
    copy.client.finish({ phoneNumberId, term: of, outcomes: [outcome(messageId, kind, attempt)] });
  const never = await accept(phoneNumberId, "491510000001");
  const once = await accept(phoneNumberId, "491510000002");
  const twice = await accept(phoneNumberId, "491510000003");
  const inAnHour = await accept(phoneNumberId, "491510000004");
  const open = await accept(phoneNumberId, "491510000005");
  const done = await accept(phoneNumberId, "491510000006");
  for (const messageId of [twice, open, done]) await begin(phoneNumberId, term, messageId);
  const hour = timestampFromDate(new Date(now.getTime() + 3_600_000));
  await report(inAnHour, { case: "wait", value: { until: hour, reason: "throttled" } });
  await report(open, { case: "unknown", value: { reason: "no_answer" } });
  await copy.client.ingest({ statuses: [status(done, "delivered", { phoneNumberId })] });
  await until(async () => (await stage.news(done)).length === 2);
  const putBack = await backUp(stage.database.pool);
  const since = now;

  // All of this is lost. Another process takes the number, and sends.
  now = new Date(now.getTime() + 1_000);
  assert.deepEqual(await begin(phoneNumberId, term, once), [once]);
  await report(once, { case: "taken", value: { wamid: "wamid.once" } });
  await report(twice, { case: "wait", value: { until: timestampFromDate(now), reason: "throttled" } });
  const { term: forgotten } = await granted(phoneNumberId, "pod-b");
  assert.deepEqual(await begin(phoneNumberId, forgotten, twice, 2), [twice]);
  const gone = await accept(phoneNumberId, "491510000007");
  assert.deepEqual(await begin(phoneNumberId, forgotten, gone), [gone]);
  const { term: forgottenFirst } = await acquire(copy.client, late, "pod-c");
  await copy[Symbol.asyncDispose]();
  await putBack();
  now = new Date(now.getTime() + 1_000);
  copy = await stage.start({ ...env, RECOVER_SINCE: since.toISOString() });

  for (const [number, old] of [
    [phoneNumberId, term],
    [phoneNumberId, forgotten],
    [late, forgottenFirst],
  ] as const) {
    await assert.rejects(copy.client.begin({ phoneNumberId: number, term: old, attempts: [] }), { reason: "fenced" });
    await assert.rejects(copy.client.renew({ phoneNumberId: number, term: old }), { reason: "fenced" });
  }
  const again = await granted(phoneNumberId, "pod-a");
  assert.ok(again.term > forgotten);
  assert.equal(again.cause, "recovered");
  const first = await granted(late, "pod-c");
  assert.ok(first.term > forgottenFirst);
  assert.equal(first.cause, "first");

  for (const messageId of [never, once, twice, open]) {
    const { state, reason } = await look(messageId);
    assert.deepEqual([state, reason], [MessageState.UNKNOWN, "ledger_lost"]);
    for (const attempt of [1, 2, 3]) assert.deepEqual(await begin(phoneNumberId, again.term, messageId, attempt), []);
  }
  assert.equal((await look(inAnHour)).state, MessageState.WAITING);
  assert.equal((await look(done)).state, MessageState.DELIVERED);
  const claimed = () => copy.client.claim({ phoneNumberId, term: again.term, replyLimit: 50, bulkLimit: 50 });
  assert.deepEqual((await claimed()).messages, []);

  // JetStream had these a moment ago, and takes them again: their readers may have lost what they made of them.
  await until(async () => (await stage.news(done)).length === 4);
  assert.deepEqual(
    (await stage.news(done)).map(({ eventId }) => eventId.slice(done.length + 1)),
    ["1.sent", "1.delivered", "1.sent", "1.delivered"],
  );

  await copy.client.ingest({
    statuses: [
      status(once, "delivered", { phoneNumberId }),
      status(twice, "read", { phoneNumberId, attempt: 2 }),
      status(gone, "delivered", { phoneNumberId }),
    ],
  });
  assert.equal((await look(once)).state, MessageState.DELIVERED);
  const { state, attempt } = await look(twice);
  assert.deepEqual([state, attempt], [MessageState.READ, 2]);
  await assert.rejects(copy.client.getMessage({ messageId: gone }), { reason: "message_unknown" });

  // New messages go as ever, also after a restart with the same setting.
  const fresh = await accept(phoneNumberId, "491510000008");
  await copy[Symbol.asyncDispose]();
  copy = await stage.start({ ...env, RECOVER_SINCE: since.toISOString() });
  assert.deepEqual(
    (await claimed()).messages.map(({ messageId }) => messageId),
    [fresh],
  );
  assert.deepEqual(await begin(phoneNumberId, again.term, fresh), [fresh]);

  now = new Date(now.getTime() + 600_000);
  for (const messageId of [never, open]) {
    await until(async () => (await look(messageId)).state === MessageState.FAILED);
    assert.equal((await look(messageId)).reason, "unknown_outcome");
  }
});

test("a running system is recovered on demand, once for each time of loss", async () => {
  const phoneNumberId = "310";
  await declare(copy.client, phoneNumberId);
  const { term } = await acquire(copy.client, phoneNumberId);
  const messageIds: string[] = [];
  for (let index = 0; index < 300; index += 1) messageIds.push(await accept(phoneNumberId, `4915200${index}`));
  const since = timestampFromDate(new Date(now.getTime() - 5_000));
  const recovered = await copy.client.recover({ since }, { deadlineMs: 30_000 });
  assert.ok(recovered.messages >= 300n);
  assert.equal(recovered.repeated, false);
  assert.ok(recovered.grantsAfter);
  await assert.rejects(copy.client.renew({ phoneNumberId, term }), { reason: "fenced" });
  const { number } = await copy.client.getNumber({ phoneNumberId });
  assert.equal(number?.connection?.connected, false);
  assert.equal((await look(messageIds[299] ?? "")).reason, "ledger_lost");
  const repeated = await copy.client.recover({ since });
  assert.deepEqual([repeated.messages, repeated.repeated], [recovered.messages, true]);
  const next = await granted(phoneNumberId, "pod-b");
  assert.equal(next.cause, "recovered");
  assert.deepEqual((await copy.client.renew({ phoneNumberId, term: next.term })).handOver, false);
});

test("a recovery that was broken off bars every lease until it is gone through", async () => {
  const phoneNumberId = "311";
  await declare(copy.client, phoneNumberId);
  const since = timestampFromDate(new Date(now.getTime() - 9_000));
  await copy.client.recover({ since });
  await granted(phoneNumberId, "pod-a");
  await stage.database.pool.query({
    text: "update messages.recoveries set settled_at = null, finished_at = null where since = $1",
    values: [new Date(now.getTime() - 9_000)],
  });
  const asked = { phoneNumberId, holder: "pod-b", bootId: "b", epoch: 2n, address: "pod-b:1" };
  const { result } = await copy.client.acquire(asked);
  assert.ok(result.case === "held");
  assert.equal(result.value.holder, "recovery");
  const other = timestampFromDate(new Date(now.getTime() - 1_000));
  assert.equal((await copy.client.recover({ since: other })).repeated, false);
  await granted(phoneNumberId, "pod-a");
});

test("a later loss ends every lease again, also where the news of an earlier recovery were left untold", async () => {
  const phoneNumberId = "312";
  await declare(copy.client, phoneNumberId);
  const earlier = new Date(now.getTime() - 20_000);
  await copy.client.recover({ since: timestampFromDate(earlier) });
  const { term } = await granted(phoneNumberId, "pod-a");
  const messageId = await accept(phoneNumberId, "491530000001");
  await stage.database.pool.query("update messages.recoveries set finished_at = null where since = $1", [earlier]);
  const { repeated, messages } = await copy.client.recover({
    since: timestampFromDate(new Date(now.getTime() - 2_000)),
  });
  assert.equal(repeated, false);
  assert.ok(messages >= 1n);
  await assert.rejects(copy.client.renew({ phoneNumberId, term }), { reason: "fenced" });
  assert.equal((await look(messageId)).reason, "ledger_lost");
  await granted(phoneNumberId, "pod-b");
});

test("that a number is registered elsewhere outlasts a recovery", async () => {
  const phoneNumberId = "313";
  await declare(copy.client, phoneNumberId);
  const { term } = await acquire(copy.client, phoneNumberId);
  await copy.client.renew({ phoneNumberId, term, standing: "conflict" });
  const standing = async (): Promise<string> => {
    const { rows } = await stage.database.pool.query<{ standing: string }>(
      "select standing from messages.leases where phone_number_id = $1",
      [phoneNumberId],
    );
    return rows[0]?.standing ?? "";
  };
  await until(async () => (await standing()) === "conflict");
  await copy.client.recover({ since: timestampFromDate(new Date(now.getTime() - 3_000)) });
  assert.equal(await standing(), "conflict");
});

test("a start waits until nothing can be sent twice, not for the news, which are told from where they stopped", async () => {
  const phoneNumberId = "314";
  await declare(copy.client, phoneNumberId);
  const since = new Date(now.getTime() + 500);
  const messageIds: string[] = [];
  for (const recipient of ["491540000001", "491540000002"]) {
    now = new Date(now.getTime() + 1_000);
    messageIds.push(await accept(phoneNumberId, recipient));
  }
  const { term } = await granted(phoneNumberId, "pod-a");
  for (const messageId of messageIds) await begin(phoneNumberId, term, messageId);
  await copy.client.ingest({ statuses: messageIds.map((id) => status(id, "delivered", { phoneNumberId })) });
  now = new Date(now.getTime() + 1_000);
  await copy.client.recover({ since: timestampFromDate(since) });
  const told = async (): Promise<string> => {
    const news = await stage.news();
    return messageIds.map((id) => news.filter((event) => event.messageId === id).length).join();
  };
  await until(async () => (await told()) === "4,4");
  await copy[Symbol.asyncDispose]();
  // As if it had begun later: JetStream takes the same news of the same recovery for repeats.
  await stage.database.pool.query({
    text: `
      update messages.recoveries
      set next_message_id = $2, finished_at = null, started_at = started_at + interval '1 ms'
      where since = $1`,
    values: [since, messageIds[1]],
  });
  await transaction(stage.database.pool, async (tx) => {
    await tx.query("lock table messages.outbox in share mode");
    copy = await stage.start({ ...env, RECOVER_SINCE: since.toISOString() });
  });
  await until(async () => (await told()) === "4,6");
  const { repeated } = await copy.client.recover({ since: timestampFromDate(since) });
  assert.equal(await told(), "4,6");
  assert.equal(repeated, true);
});

test("a start that is told to stop breaks its recovery off, and no lease is granted until one comes through", async () => {
  const phoneNumberId = "315";
  await declare(copy.client, phoneNumberId);
  await copy[Symbol.asyncDispose]();
  const recovering = { ...env, RECOVER_SINCE: new Date(now.getTime() - 1_500).toISOString() };
  await assert.rejects(stage.start(recovering, AbortSignal.abort()), { name: "AbortError" });
  copy = await stage.start(env);
  const asked = { phoneNumberId, holder: "pod-a", bootId: "a", epoch: 1n, address: "pod-a:1" };
  const { result } = await copy.client.acquire(asked);
  assert.ok(result.case === "held");
  assert.equal(result.value.holder, "recovery");
  await copy[Symbol.asyncDispose]();
  copy = await stage.start(recovering);
  await granted(phoneNumberId, "pod-a");
});

test("a recovery needs a time that is over", async () => {
  await assert.rejects(copy.client.recover({}), { reason: "invalid_argument" });
  const since = timestampFromDate(new Date(now.getTime() + 60_000));
  await assert.rejects(copy.client.recover({ since }), { reason: "invalid_argument" });
});
