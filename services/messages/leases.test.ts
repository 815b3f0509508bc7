// Leases, time and several copies of the service, on a real Postgres and NATS. Lease times are short, the rest of time is virtual.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { NumberEventSchema } from "#proto/heliograph/messages/v1/events_pb.ts";
import {
  type AcquireResponse,
  MessageState,
  type Number,
  type WatchNumbersResponse,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import { subscribeCore } from "#lib/nats.ts";
import { until } from "#test/until.ts";
import {
  acquire,
  type Copy,
  declare,
  drawId,
  type MessagesClient,
  openStage,
  outcome,
  type Stage,
  status,
  textTo,
  wabaId,
} from "./test-messages.ts";

let now = new Date("2026-03-02T10:00:00Z");
const opened = new AsyncDisposableStack();
let stage: Stage;
let client: MessagesClient;
let second: Copy;
const leaseMs = 500;
const env = { LEASE_MS: String(leaseMs), STOP_AFTER_MS: "300", RENEW_EVERY_MS: "150" };

before(async () => {
  stage = opened.use(await openStage(() => now));
  // At once, as after a rollout: each makes the partitions and the stream, or finds them.
  const [one, two] = await Promise.all([stage.start(env), stage.start(env)]);
  ({ client } = one);
  second = two;
});
after(() => opened.disposeAsync());

/** By a process of its own each time. */
function ask(phoneNumberId: string, holder: string, epoch: bigint, takeOver = false): Promise<AcquireResponse> {
  return client.acquire({ phoneNumberId, holder, epoch, bootId: drawId(now), address: `${holder}:1`, takeOver });
}

async function numberNews(phoneNumberId: string): Promise<string[]> {
  const all = (await stage.events()).filter(
    ({ subject }) => subject.startsWith("wa.number.") && subject.endsWith(`.${phoneNumberId}`),
  );
  return all.map(({ data }) => fromBinary(NumberEventSchema, data).eventId.slice(phoneNumberId.length + 1));
}

/** What is heard on a subject of plain NATS from now on. */
async function hear(subject: string): Promise<string[]> {
  const heard: string[] = [];
  opened.use(subscribeCore(stage.nats, subject, (_data, told) => heard.push(told)));
  await stage.nats.flush();
  return heard;
}

test("a second pod waits, the first is asked to hand over, releases, and the second is granted", async () => {
  const phoneNumberId = "201";
  await declare(client, phoneNumberId);
  const fences = await hear(`wa.fence.${phoneNumberId}`);
  const frees = await hear(`wa.lease.${phoneNumberId}`);
  const first = await acquire(client, phoneNumberId, "pod-a", 1n);
  assert.deepEqual([first.term, first.cause, first.renewEveryMs, first.stopAfterMs], [1n, "first", 150, 300]);
  assert.equal(first.number?.displayPhoneNumber, "4930201");
  assert.equal((await client.renew({ phoneNumberId, term: 1n })).handOver, false);

  const held = await ask(phoneNumberId, "pod-b", 2n);
  assert.equal(held.result.case, "held");
  assert.equal(held.result.value.holder, "pod-a");
  await until(() => fences.length === 1);
  const { handOver, number } = await client.renew({ phoneNumberId, term: 1n });
  assert.equal(handOver, true);
  assert.equal(number?.name, "number-201");
  await ask(phoneNumberId, "pod-b", 2n);
  await client.release({ phoneNumberId, term: 1n });
  await until(() => frees.length === 1);
  assert.equal(fences.length, 1, "a holder is asked once");
  const granted = await ask(phoneNumberId, "pod-b", 2n);
  assert.ok(granted.result.case === "granted");
  assert.deepEqual([granted.result.value.term, granted.result.value.cause], [2n, "released"]);
  // An old pod is not let in again, and its term means nothing.
  await assert.rejects(ask(phoneNumberId, "pod-a", 1n, true), { code: "FAILED_PRECONDITION", reason: "fenced" });
  await assert.rejects(client.renew({ phoneNumberId, term: 1n }), { code: "FAILED_PRECONDITION", reason: "fenced" });
  await client.release({ phoneNumberId, term: 1n });
  assert.equal((await client.renew({ phoneNumberId, term: 2n })).handOver, false);
});

test("a pod of the same epoch takes over only when it says so", async () => {
  const phoneNumberId = "202";
  await declare(client, phoneNumberId);
  const { term } = await acquire(client, phoneNumberId, "pod-a");
  await ask(phoneNumberId, "pod-b", 1n);
  assert.equal((await client.renew({ phoneNumberId, term })).handOver, false);
  await ask(phoneNumberId, "pod-b", 1n, true);
  assert.equal((await client.renew({ phoneNumberId, term })).handOver, true);
});

test("a lease that nobody renews runs out, is told of, and goes to who asks", async () => {
  const phoneNumberId = "203";
  await declare(client, phoneNumberId);
  await acquire(client, phoneNumberId, "pod-a");
  const granted = await until(async () => {
    const { result } = await ask(phoneNumberId, "pod-b", 1n);
    return result.case === "granted" && result.value;
  });
  assert.deepEqual([granted.term, granted.cause], [2n, "expired"]);
  await until(async () => (await numberNews(phoneNumberId)).includes("disconnected.2"));
  const { number } = await client.getNumber({ phoneNumberId });
  assert.equal(number?.connection?.connected, false);
  // Nobody else asked, so its holder is still the holder when it comes back.
  await until(async () => {
    await client.renew({ phoneNumberId, term: 2n });
    return (await client.getNumber({ phoneNumberId })).number?.connection?.connected;
  });
});

test("the operator revokes a lease with a proof, once", async () => {
  const phoneNumberId = "204";
  await declare(client, phoneNumberId);
  const { term } = await acquire(client, phoneNumberId, "pod-a", 1n);
  await assert.rejects(client.revoke({ phoneNumberId, term, proof: "hunch" }), { code: "INVALID_ARGUMENT" });
  assert.deepEqual(
    await client.revoke({ phoneNumberId, term: term + 1n, proof: "pod_gone" }).then(({ revoked }) => revoked),
    false,
  );
  assert.equal((await client.revoke({ phoneNumberId, term, proof: "pod_gone" })).revoked, true);
  assert.equal((await client.revoke({ phoneNumberId, term, proof: "pod_gone" })).revoked, false);
  await assert.rejects(client.begin({ phoneNumberId, term, attempts: [] }), { reason: "fenced" });
  const next = await acquire(client, phoneNumberId, "pod-b", 2n);
  assert.deepEqual([next.term, next.cause], [2n, "revoked"]);
  await until(async () => (await numberNews(phoneNumberId)).length === 4);
  assert.deepEqual(await numberNews(phoneNumberId), ["applied.1", "connected.1", "disconnected.1", "connected.2"]);
});

test("a renewal tells that work is due, and a Send wakes the holder", async () => {
  const phoneNumberId = "205";
  await declare(client, phoneNumberId);
  const wakes = await hear(`wa.wake.${phoneNumberId}`);
  const { term } = await acquire(client, phoneNumberId);
  assert.equal((await client.renew({ phoneNumberId, term })).workDue, false);
  await client.send(textTo(now, phoneNumberId));
  await until(() => wakes.length === 1);
  assert.equal((await client.renew({ phoneNumberId, term })).workDue, true);
});

test("several numbers renew in one statement, each with its own answer", async () => {
  const ids = ["206", "207", "208"];
  for (const id of ids) await declare(client, id);
  const terms = await Promise.all(ids.map(async (id) => (await acquire(client, id)).term));
  await acquire(client, "208");
  const answers = await Promise.allSettled(
    ids.map((phoneNumberId, index) => client.renew({ phoneNumberId, term: terms[index] ?? 0n })),
  );
  assert.deepEqual(
    answers.map(({ status: word }) => word),
    ["fulfilled", "fulfilled", "rejected"],
  );
});

async function stateOf(messageId: string): Promise<MessageState | undefined> {
  return (await client.getMessage({ messageId })).message?.state;
}

async function onWire(phoneNumberId: string, spec = {}) {
  await declare(client, phoneNumberId, spec);
  const { term } = await acquire(client, phoneNumberId);
  const { messageId } = await client.send(textTo(now, phoneNumberId));
  await client.begin({ phoneNumberId, term, attempts: [{ messageId, attempt: 1 }] });
  return { phoneNumberId, term, messageId };
}

function pass(seconds: number): void {
  now = new Date(now.getTime() + seconds * 1_000);
}

test("an outcome that never came is unknown, then failed, and a late status still overrules", async () => {
  const { phoneNumberId, messageId } = await onWire("210");
  pass(60);
  await until(async () => (await stateOf(messageId)) === MessageState.UNKNOWN);
  pass(600);
  await until(async () => (await stateOf(messageId)) === MessageState.FAILED);
  const { message } = await client.getMessage({ messageId });
  assert.deepEqual([message?.reason, message?.error?.code], ["unknown_outcome", 131_000]);
  await second.client.ingest({ statuses: [status(messageId, "delivered", { phoneNumberId })] });
  assert.equal(await stateOf(messageId), MessageState.DELIVERED);
  const verbs = await until(async () => {
    const news = await stage.news(messageId);
    return news.length === 4 && news.map(({ verb }) => verb);
  });
  assert.deepEqual(verbs, ["unknown", "failed", "sent", "delivered"]);
});

test("a number may want what is unknown sent again, as the next attempt", async () => {
  const { phoneNumberId, term, messageId } = await onWire("211", {
    unknownPolicy: "resend",
    unknownTimeoutSeconds: 30,
  });
  const unknown = outcome(messageId, { case: "unknown", value: { reason: "no_answer" } });
  await client.finish({ phoneNumberId, term, outcomes: [unknown] });
  const wakes = await hear(`wa.wake.${phoneNumberId}`);
  pass(30);
  await until(() => wakes.length === 1);
  const { messages } = await client.claim({ phoneNumberId, term, replyLimit: 1 });
  assert.equal(messages[0]?.attempt, 2);
  const begun = await client.begin({ phoneNumberId, term, attempts: [{ messageId, attempt: 2 }] });
  assert.deepEqual(begun.messageIds, [messageId]);
  const { message } = await client.getMessage({ messageId });
  assert.deepEqual(
    message?.history.map(({ state, attempt, reason }) => [state, attempt, reason]),
    [
      [MessageState.ACCEPTED, 0, ""],
      [MessageState.SENDING, 1, ""],
      [MessageState.UNKNOWN, 1, "no_answer"],
      [MessageState.ACCEPTED, 1, "resend"],
      [MessageState.SENDING, 2, ""],
    ],
    "that the user may have it twice is on record",
  );
});

test("an idempotency key counts for 48 hours, and then names a new message", async () => {
  const phoneNumberId = "213";
  await declare(client, phoneNumberId);
  const send = (fill: number) =>
    client.send({
      ...textTo(now, phoneNumberId),
      idempotency: { key: "order-1", bodyHash: new Uint8Array(32).fill(fill) },
    });
  const first = await send(1);
  pass(48 * 3_600 - 1);
  const repeated = await send(1);
  assert.deepEqual([repeated.messageId, repeated.repeated], [first.messageId, true]);
  await assert.rejects(send(2), { code: "ALREADY_EXISTS", reason: "idempotency_conflict" });
  pass(2);
  const later = await send(2);
  assert.equal(later.repeated, false);
  assert.notEqual(later.messageId, first.messageId);
});

test("a message expires when its time is over, and is never claimed then", async () => {
  const phoneNumberId = "212";
  await declare(client, phoneNumberId);
  const { messageId } = await client.send(textTo(now, phoneNumberId, { ttlSeconds: 60 }));
  pass(60);
  await until(async () => (await stateOf(messageId)) === MessageState.EXPIRED);
  const [news] = await until(async () => {
    const told = await stage.news(messageId);
    return told.length > 0 && told;
  });
  assert.equal(news?.eventId, `${messageId}.0.expired`);
});

test("after days the partitions are there when a message comes, and older ones still move", async () => {
  const { phoneNumberId, term, messageId } = await onWire("213");
  pass(20 * 86_400);
  const { messageId: later } = await client.send(textTo(now, phoneNumberId));
  assert.equal(await stateOf(later), MessageState.ACCEPTED);
  await client.finish({
    phoneNumberId,
    term,
    outcomes: [outcome(messageId, { case: "taken", value: { wamid: "wamid.late" } })],
  });
  assert.equal(await stateOf(messageId), MessageState.SENT);
});

test("a phone number is declared once, a declaration that says the same changes nothing", async () => {
  await declare(client, "220");
  await declare(client, "220");
  const displayPhoneNumber = "4930220";
  const number = { phoneNumberId: "221", wabaId, displayPhoneNumber, name: "other" };
  await assert.rejects(client.applyNumber({ number }), { code: "ALREADY_EXISTS", reason: "number_in_use" });
  await assert.rejects(client.applyNumber({ number: { ...number, wabaId: "501", displayPhoneNumber: "4930221" } }), {
    code: "NOT_FOUND",
    reason: "account_unknown",
  });
  await assert.rejects(client.getNumber({ phoneNumberId: "221" }), { code: "NOT_FOUND", reason: "number_unknown" });
  await client.removeNumber({ phoneNumberId: "220" });
  await client.removeNumber({ phoneNumberId: "220" });
  await client.applyNumber({ number });
  await until(async () => (await numberNews("221")).length === 1);
  assert.deepEqual(await numberNews("220"), ["applied.1", "removed.2"]);
  const { numbers } = await second.client.listNumbers({ wabaId });
  const ids = numbers.map(({ phoneNumberId }) => phoneNumberId);
  assert.ok(ids.includes("221") && !ids.includes("220"));
});

test("a holder of a removed number is asked to end", async () => {
  const phoneNumberId = "222";
  await declare(client, phoneNumberId);
  const { term } = await acquire(client, phoneNumberId);
  await client.removeNumber({ phoneNumberId });
  assert.equal((await client.renew({ phoneNumberId, term })).handOver, true);
  await assert.rejects(client.send(textTo(now, phoneNumberId)), { reason: "number_unknown" });
  await declare(client, phoneNumberId);
  assert.equal((await acquire(client, phoneNumberId)).term, term + 1n);
});

test("a watcher of any copy hears of every change, soon", async () => {
  const phoneNumberId = "223";
  await declare(client, phoneNumberId);
  const ending = new AbortController();
  const changes: WatchNumbersResponse["change"][] = [];
  const watching = (async () => {
    for await (const { change } of second.client.watchNumbers({}, { signal: ending.signal })) changes.push(change);
  })();
  await until(() => changes.some(({ case: kind }) => kind === "synced"));
  assert.ok(changes.some((change) => change.case === "number" && change.value.phoneNumberId === phoneNumberId));
  const startedAt = performance.now();
  await acquire(client, phoneNumberId);
  const isConnected = ({ connection }: Number): boolean =>
    connection?.connected === true && connection.address === "127.0.0.1:1";
  await until(() =>
    changes.some((one) => one.case === "number" && one.value.phoneNumberId === phoneNumberId && isConnected(one.value)),
  );
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs < 1_500, `took ${tookMs} ms: by news, not by the slow look`);
  await client.removeNumber({ phoneNumberId });
  await until(() => changes.some((one) => one.case === "removedPhoneNumberId" && one.value === phoneNumberId));
  ending.abort();
  await assert.rejects(watching);
});

test("two copies share one ledger: each message is begun once, by one attempt", async () => {
  const phoneNumberId = "230";
  await declare(client, phoneNumberId);
  const { term } = await acquire(second.client, phoneNumberId);
  const copies = [client, second.client];
  const ids = await Promise.all(
    Array.from(
      { length: 40 },
      async (_, index) => (await copies[index % 2]?.send(textTo(now, phoneNumberId)))?.messageId ?? "",
    ),
  );
  const { messages } = await second.client.claim({ phoneNumberId, term, replyLimit: 100 });
  assert.deepEqual(new Set(messages.map(({ messageId }) => messageId)), new Set(ids));
  const attempts = ids.map((messageId) => ({ messageId, attempt: 1 }));
  const begun = await Promise.all(copies.map((copy) => copy.begin({ phoneNumberId, term, attempts })));
  for (const { messageIds } of begun)
    assert.equal(messageIds.length, ids.length, "a Begin asked again answers the same");
  const statuses = ids.map((messageId) => status(messageId, "delivered", { phoneNumberId }));
  await Promise.all([...copies, ...copies].map((copy) => copy.ingest({ statuses })));
  const news = await until(async () => {
    const all = (await stage.news()).filter((event) => event.phoneNumberId === phoneNumberId);
    return all.length >= 2 * ids.length && all;
  });
  assert.equal(news.length, 2 * ids.length);
});
