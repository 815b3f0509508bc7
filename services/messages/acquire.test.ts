// Requests for a lease that come twice or late: a process holds one lease in its life, and asks for it as often as it must.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type LeaseGranted, MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { until } from "#test/until.ts";
import { type Copy, declare, type MessagesClient, openStage, type Stage, textTo } from "./test-messages.ts";

const now = new Date("2026-03-02T10:00:00Z");
const opened = new AsyncDisposableStack();
let stage: Stage;
let client: MessagesClient;
let second: Copy;

before(async () => {
  stage = opened.use(await openStage(() => now));
  ({ client } = await stage.start());
  second = await stage.start();
});
after(() => opened.disposeAsync());

type Asker = { holder?: string; bootId: string; epoch?: bigint; of?: MessagesClient };

function ask(phoneNumberId: string, { holder = "pod-a", bootId, epoch = 1n, of = client }: Asker) {
  return of.acquire({ phoneNumberId, holder, bootId, epoch, address: `${bootId}:1` });
}

async function granted(phoneNumberId: string, asker: Asker): Promise<LeaseGranted> {
  const { result } = await ask(phoneNumberId, asker);
  assert.ok(result.case === "granted");
  return result.value;
}

async function stateOf(messageId: string): Promise<MessageState | undefined> {
  return (await client.getMessage({ messageId })).message?.state;
}

async function newsOf(phoneNumberId: string): Promise<string[]> {
  const subjects = (await stage.events()).map(({ subject }) => subject.split("."));
  return subjects.flatMap(([, noun, verb, of]) => (noun === "number" && of === phoneNumberId ? [verb ?? ""] : []));
}

/** How long the lease lasts if nobody renews. */
async function remainingMs(phoneNumberId: string): Promise<number> {
  const { rows } = await stage.database.pool.query<{ remaining_ms: number }>(
    `select extract(epoch from valid_until - clock_timestamp())::float8 * 1000 as remaining_ms
    from messages.lease_renewals where phone_number_id = $1`,
    [phoneNumberId],
  );
  return rows[0]?.remaining_ms ?? Number.NaN;
}

test("a process that asks again, since an answer was lost or a request is late, keeps its term", async () => {
  const phoneNumberId = "801";
  await declare(client, phoneNumberId);
  const { term } = await granted(phoneNumberId, { bootId: "boot-1" });
  const { messageId } = await client.send(textTo(now, phoneNumberId));
  await client.begin({ phoneNumberId, term, attempts: [{ messageId, attempt: 1 }] });
  const again = await granted(phoneNumberId, { bootId: "boot-1", of: second.client });
  assert.deepEqual([again.term, again.cause, again.number?.connection?.term], [term, "first", term]);
  await client.renew({ phoneNumberId, term });
  assert.equal(await stateOf(messageId), MessageState.SENDING, "what it has on the wire is still its own");
  await until(async () => (await newsOf(phoneNumberId)).length >= 2);
  assert.deepEqual(await newsOf(phoneNumberId), ["applied", "connected"]);
});

test("it was asked to hand over, and still is", async () => {
  const phoneNumberId = "802";
  await declare(client, phoneNumberId);
  const { term } = await granted(phoneNumberId, { bootId: "boot-1" });
  assert.equal((await ask(phoneNumberId, { holder: "pod-b", bootId: "boot-2", epoch: 2n })).result.case, "held");
  assert.equal((await granted(phoneNumberId, { bootId: "boot-1" })).term, term);
  assert.equal((await client.renew({ phoneNumberId, term })).handOver, true);
});

test("a new process of the same pod is a change of hands", async () => {
  const phoneNumberId = "803";
  await declare(client, phoneNumberId);
  const { term } = await granted(phoneNumberId, { bootId: "boot-1" });
  const { messageId } = await client.send(textTo(now, phoneNumberId));
  await client.begin({ phoneNumberId, term, attempts: [{ messageId, attempt: 1 }] });
  const restarted = await granted(phoneNumberId, { bootId: "boot-2" });
  assert.deepEqual([restarted.term, restarted.cause], [term + 1n, "restarted"]);
  assert.equal(await stateOf(messageId), MessageState.UNKNOWN);
  await assert.rejects(client.renew({ phoneNumberId, term }), { reason: "fenced" });
});

test("its time starts anew when it asks, also where it had run out", async () => {
  const phoneNumberId = "804";
  await declare(client, phoneNumberId);
  const { term } = await granted(phoneNumberId, { bootId: "boot-1" });
  await stage.database.pool.query(
    "update messages.lease_renewals set valid_until = clock_timestamp() - interval '1 hour' where phone_number_id = $1",
    [phoneNumberId],
  );
  assert.equal((await granted(phoneNumberId, { bootId: "boot-1" })).term, term);
  const leftMs = await remainingMs(phoneNumberId);
  assert.ok(leftMs > -60_000 && leftMs <= 15_000, `${leftMs} ms`);
});

test("a request that is late by more than the lease takes it from nobody", async () => {
  const phoneNumberId = "805";
  await declare(client, phoneNumberId);
  const { term } = await granted(phoneNumberId, { bootId: "boot-1" });
  await client.release({ phoneNumberId, term });
  await assert.rejects(ask(phoneNumberId, { bootId: "boot-1" }), { code: "FAILED_PRECONDITION", reason: "fenced" });
  assert.equal((await granted(phoneNumberId, { holder: "pod-b", bootId: "boot-2" })).cause, "released");
  assert.equal((await ask(phoneNumberId, { bootId: "boot-1" })).result.case, "held");
});
