// The ledger as its peers meet it: calls by gRPC, news by JetStream, on a real Postgres and NATS.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { toWamid } from "#dialects/message-id.ts";
import { ServiceError } from "#lib/errors.ts";
import {
  ForeignStatusEventSchema,
  type InboundEvent,
  InboundEventSchema,
} from "#proto/heliograph/messages/v1/events_pb.ts";
import { type InboundMessageSchema, Lane, MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { until } from "#test/until.ts";
import { acquire, declare, drawId, outcome, status, textTo, useStage, wabaId } from "./test-messages.ts";

const now = new Date("2026-03-02T10:00:00Z");
const on = useStage(() => now);

test("a message goes from Send to read, and the customer hears of it", async () => {
  const phoneNumberId = "101";
  await declare(on.client, phoneNumberId);
  const send = textTo(now, phoneNumberId, { clientCallbackData: "order-42", campaign: "spring" });
  const { messageId } = send;
  const accepted = await on.client.send(send);
  assert.equal(accepted.messageId, messageId);
  assert.equal(accepted.repeated, false);

  const { term } = await acquire(on.client, phoneNumberId);
  const claim = await on.client.claim({ phoneNumberId, term, replyLimit: 10, bulkLimit: 10 });
  assert.deepEqual(
    claim.messages.map((one) => [one.messageId, one.attempt, one.recipient]),
    [[messageId, 1, "4915112345678"]],
  );
  assert.equal(claim.messages[0]?.content?.kind.case, "text");
  const begun = await on.client.begin({ phoneNumberId, term, attempts: [{ messageId, attempt: 1 }] });
  assert.deepEqual(begun.messageIds, [messageId]);
  await on.client.finish({
    phoneNumberId,
    term,
    outcomes: [outcome(messageId, { case: "taken", value: { wamid: `wamid.up.${messageId}` } })],
  });
  const sent = await on.client.getMessage({ messageId });
  assert.equal(sent.message?.state, MessageState.SENT);
  await on.client.ingest({
    statuses: ["sent", "delivered", "read"].map((word) => status(messageId, word, { phoneNumberId })),
  });
  const { message } = await on.client.getMessage({ messageId });
  assert.equal(message?.state, MessageState.READ);
  assert.deepEqual(message?.readAt && timestampDate(message.readAt), new Date("2026-03-02T10:00:00Z"));

  const news = await until(async () => {
    const events = await on.stage.news(messageId);
    return events.length === 3 && events;
  });
  assert.deepEqual(
    news.map((event) => [event.eventId, event.clientCallbackData, event.campaign, event.displayPhoneNumber]),
    ["sent", "delivered", "read"].map((verb) => [`${messageId}.1.${verb}`, "order-42", "spring", "4930101"]),
  );
});

async function stateOf(messageId: string): Promise<MessageState | undefined> {
  return (await on.client.getMessage({ messageId })).message?.state;
}

/** Declares the number, takes its lease and puts one message on the wire. */
async function onWire(phoneNumberId: string, spec = {}) {
  await declare(on.client, phoneNumberId, spec);
  const { term } = await acquire(on.client, phoneNumberId);
  const { messageId } = await on.client.send(textTo(now, phoneNumberId));
  const { messageIds } = await on.client.begin({ phoneNumberId, term, attempts: [{ messageId, attempt: 1 }] });
  assert.deepEqual(messageIds, [messageId]);
  return { phoneNumberId, term, messageId };
}

const taken = (messageId: string) => outcome(messageId, { case: "taken", value: { wamid: `wamid.up.${messageId}` } });

test("fifty calls with one idempotency key, at once, accept one message", async () => {
  await declare(on.client, "110");
  const idempotency = { key: "order-1", bodyHash: Buffer.alloc(32, 1) };
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => on.client.send(textTo(now, "110", { idempotency }))),
  );
  assert.equal(new Set(answers.map(({ messageId }) => messageId)).size, 1);
  assert.equal(answers.filter(({ repeated }) => !repeated).length, 1);
  const { rows } = await on.stage.database.pool.query("select from messages.messages where phone_number_id = '110'");
  assert.equal(rows.length, 1);

  const other = { key: "order-1", bodyHash: Buffer.alloc(32, 2) };
  await assert.rejects(on.client.send(textTo(now, "110", { idempotency: other })), {
    code: "ALREADY_EXISTS",
    reason: "idempotency_conflict",
  });
  await declare(on.client, "111");
  const elsewhere = await on.client.send(textTo(now, "111", { idempotency }));
  assert.equal(elsewhere.repeated, false, "a key belongs to its number");
});

test("a repeated Send answers the same, in parallel too", async () => {
  await declare(on.client, "112");
  const send = textTo(now, "112");
  const answers = await Promise.all([on.client.send(send), on.client.send(send), on.client.send(send)]);
  assert.equal(answers.filter(({ repeated }) => repeated).length, 2);
  assert.deepEqual(new Set(answers.map(({ messageId }) => messageId)), new Set([send.messageId]));
});

test("what cannot be accepted is refused with its reason", async () => {
  await declare(on.client, "113", { queueLimit: 1 });
  await assert.rejects(on.client.send(textTo(now, "199")), { code: "NOT_FOUND", reason: "number_unknown" });
  await assert.rejects(on.client.send(textTo(new Date("2026-03-08T10:00:00Z"), "113")), {
    code: "INVALID_ARGUMENT",
    reason: "message_id_out_of_time",
  });
  await assert.rejects(on.client.send(textTo(now, "113", { recipient: "+49" })), { code: "INVALID_ARGUMENT" });
  await assert.rejects(on.client.send(textTo(now, "113", { content: {} })), { code: "INVALID_ARGUMENT" });
  await on.client.send(textTo(now, "113"));
  const overloaded = await until(() =>
    on.client.send(textTo(now, "113")).then(
      () => undefined,
      (error: unknown) => error,
    ),
  );
  assert.ok(overloaded instanceof ServiceError);
  assert.deepEqual([overloaded.code, overloaded.reason], ["RESOURCE_EXHAUSTED", "overloaded"]);
  assert.ok((overloaded.retryAfterMs ?? 0) > 0);
  await assert.rejects(on.client.getMessage({ messageId: drawId(now) }), {
    code: "NOT_FOUND",
    reason: "message_unknown",
  });
});

test("one bad item does not harm those that share its commit", async () => {
  await declare(on.client, "114");
  await declare(on.client, "115");
  const first = textTo(now, "114");
  await on.client.send(first);
  // Its id is of another number's message, which only the commit can find out.
  const bad = on.client.send({
    ...first,
    phoneNumberId: "115",
    idempotency: { key: "bad", bodyHash: Buffer.alloc(32) },
  });
  const good = Array.from({ length: 20 }, () => on.client.send(textTo(now, "114")));
  const rejected = assert.rejects(bad, { code: "INVALID_ARGUMENT", reason: "message_id_in_use" });
  assert.equal((await Promise.all(good)).filter(({ repeated }) => !repeated).length, 20);
  await rejected;
  const again = await on.client.send(textTo(now, "115", { idempotency: { key: "bad", bodyHash: Buffer.alloc(32) } }));
  assert.equal(again.repeated, false, "a refused message leaves no key");
});

test("claims give the reply lane first, leave out what is held, and keep order behind a waiting message", async () => {
  const phoneNumberId = "120";
  await declare(on.client, phoneNumberId);
  const { term } = await acquire(on.client, phoneNumberId);
  const [slow, behind, other] = [
    textTo(now, phoneNumberId),
    textTo(now, phoneNumberId),
    textTo(now, phoneNumberId, { recipient: "4915100000001" }),
  ];
  const bulk = textTo(now, phoneNumberId, { lane: Lane.BULK });
  for (const one of [bulk, slow, behind, other]) await on.client.send(one);
  const claim = async (heldMessageIds: string[] = []) => {
    const { messages, nextDueAt } = await on.client.claim({
      phoneNumberId,
      term,
      heldMessageIds,
      replyLimit: 10,
      bulkLimit: 10,
    });
    return { ids: messages.map(({ messageId }) => messageId), nextDueAt: nextDueAt && timestampDate(nextDueAt) };
  };
  const ids = [slow, behind, other, bulk].map(({ messageId }) => messageId);
  assert.deepEqual(await claim(), { ids, nextDueAt: undefined });
  assert.deepEqual((await claim([slow.messageId])).ids, ids.slice(1));
  const { messages } = await on.client.claim({ phoneNumberId, term, replyLimit: 1, bulkLimit: 0 });
  assert.deepEqual(
    messages.map(({ messageId }) => messageId),
    [slow.messageId],
  );

  const until5 = new Date(now.getTime() + 5_000);
  const wait = { case: "wait", value: { until: timestampFromDate(until5), reason: "pair_rate" } } as const;
  await on.client.finish({ phoneNumberId, term, outcomes: [outcome(slow.messageId, wait)] });
  // The other lane and the other user go on.
  assert.deepEqual(await claim(), { ids: [other.messageId, bulk.messageId], nextDueAt: until5 });
  assert.equal(await stateOf(slow.messageId), MessageState.WAITING);
  await on.client.begin({ phoneNumberId, term, attempts: [{ messageId: slow.messageId, attempt: 1 }] });
  assert.deepEqual((await claim()).ids, [behind.messageId, other.messageId, bulk.messageId]);
  await assert.rejects(on.client.claim({ phoneNumberId, term: term + 1n, replyLimit: 1 }), { reason: "fenced" });
});

test("a quote of a message of ours waits until that one is sent, or never will be", async () => {
  const { phoneNumberId, term, messageId } = await onWire("121");
  const quote = textTo(now, phoneNumberId);
  await on.client.send({
    ...quote,
    content: { kind: { case: "text", value: { body: "and" } }, contextMessageId: toWamid(messageId) },
  });
  const claim = () => on.client.claim({ phoneNumberId, term, replyLimit: 10, bulkLimit: 10 });
  const early = await claim();
  assert.equal(early.messages.length, 0);
  assert.ok(early.nextDueAt !== undefined, "nobody tells when the quoted message is sent");
  await on.client.finish({ phoneNumberId, term, outcomes: [taken(messageId)] });
  assert.equal((await claim()).messages[0]?.contextWamid, `wamid.up.${messageId}`);

  const inbound = textTo(now, phoneNumberId);
  await on.client.send({
    ...inbound,
    content: { kind: { case: "text", value: { body: "so" } }, contextMessageId: "wamid.in" },
  });
  assert.equal((await claim()).messages[1]?.contextWamid, "wamid.in");
});

test("a repeated Begin answers the same, one of an old term is fenced", async () => {
  const { phoneNumberId, term, messageId } = await onWire("130");
  const begin = { phoneNumberId, term, attempts: [{ messageId, attempt: 1 }] };
  assert.deepEqual((await on.client.begin(begin)).messageIds, [messageId]);
  await on.client.finish({ phoneNumberId, term, outcomes: [taken(messageId)] });
  assert.deepEqual((await on.client.begin(begin)).messageIds, [], "what was finished is not sent again");
  const next = await acquire(on.client, phoneNumberId);
  assert.equal(next.term, term + 1n);
  assert.equal(next.cause, "restarted");
  await assert.rejects(on.client.begin(begin), { code: "FAILED_PRECONDITION", reason: "fenced" });
  await assert.rejects(on.client.renew({ phoneNumberId, term }), { code: "FAILED_PRECONDITION", reason: "fenced" });
});

test("a takeover leaves unknown what was sending, and the old holder's receipt still counts", async () => {
  const { phoneNumberId, term, messageId } = await onWire("131");
  await acquire(on.client, phoneNumberId);
  assert.equal(await stateOf(messageId), MessageState.UNKNOWN);
  await on.client.finish({ phoneNumberId, term, outcomes: [taken(messageId)] });
  assert.equal(await stateOf(messageId), MessageState.SENT);
});

test("an old holder's refusals of what it never began are ignored", async () => {
  const { phoneNumberId, term } = await onWire("132");
  const { messageId } = await on.client.send(textTo(now, phoneNumberId));
  await acquire(on.client, phoneNumberId);
  const refused = outcome(messageId, { case: "refused", value: { reason: "window_closed" } });
  await on.client.finish({ phoneNumberId, term, outcomes: [refused] });
  assert.equal(await stateOf(messageId), MessageState.ACCEPTED);
});

test("Begin races with Acquire: what it began is never left sending by an old term", async () => {
  const phoneNumberId = "133";
  await declare(on.client, phoneNumberId);
  let { term } = await acquire(on.client, phoneNumberId);
  for (let round = 0; round < 25; round += 1) {
    const ids = await Promise.all(
      Array.from({ length: 4 }, async () => (await on.client.send(textTo(now, phoneNumberId))).messageId),
    );
    const begins = ids.map((messageId) =>
      on.client.begin({ phoneNumberId, term, attempts: [{ messageId, attempt: 1 }] }).then(
        ({ messageIds }) => messageIds,
        (error: ServiceError) => {
          assert.equal(error.reason, "fenced");
          return [];
        },
      ),
    );
    const [granted, ...begun] = await Promise.all([acquire(on.client, phoneNumberId), ...begins]);
    const states = await Promise.all(ids.map(stateOf));
    const expected = begun.map(({ length }) => (length === 1 ? MessageState.UNKNOWN : MessageState.ACCEPTED));
    assert.deepEqual(states, expected);
    ({ term } = granted);
  }
});

test("a delivered that overtakes Finish moves the message, a late sent changes nothing", async () => {
  const { phoneNumberId, term, messageId } = await onWire("140");
  await on.client.ingest({ statuses: [status(messageId, "delivered", { phoneNumberId })] });
  assert.equal(await stateOf(messageId), MessageState.DELIVERED);
  await on.client.finish({ phoneNumberId, term, outcomes: [taken(messageId)] });
  const before = await on.client.getMessage({ messageId });
  await on.client.ingest({ statuses: [status(messageId, "sent", { phoneNumberId })] });
  assert.deepEqual(await on.client.getMessage({ messageId }), before);
  const news = await until(async () => (await on.stage.news(messageId)).map(({ verb }) => verb));
  assert.deepEqual(news, ["sent", "delivered"]);
});

test("a status without our callback data is found by WhatsApp's id, a foreign one is passed on", async () => {
  const { phoneNumberId, term, messageId } = await onWire("141");
  await on.client.finish({ phoneNumberId, term, outcomes: [taken(messageId)] });
  const foreign = { ...status(messageId, "read", { phoneNumberId }), wamid: "wamid.foreign", callbackData: "theirs" };
  await on.client.ingest({
    statuses: [{ ...status(messageId, "sent", { phoneNumberId }), callbackData: "" }, foreign],
  });
  const { message } = await on.client.getMessage({ messageId });
  assert.equal(message?.state, MessageState.SENT);
  const passed = await until(async () => {
    const events = (await on.stage.events()).filter(({ subject }) => subject === `wa.status.passed.${phoneNumberId}`);
    return events.map(({ data }) => fromBinary(ForeignStatusEventSchema, data))[0];
  });
  assert.deepEqual(
    [passed.eventId, passed.callbackData, passed.displayPhoneNumber],
    ["wamid.foreign.read", "theirs", "4930141"],
  );
});

function wrote(phoneNumberId: string, wamid: string, json: object = {}): MessageInitShape<typeof InboundMessageSchema> {
  return {
    phoneNumberId,
    wabaId,
    wamid,
    from: "4915112345678",
    profileName: "Ana",
    at: timestampFromDate(now),
    type: "text",
    messageJson: Buffer.from(JSON.stringify({ id: wamid, type: "text", ...json })),
  };
}

async function inboundEvents(phoneNumberId: string, count: number): Promise<InboundEvent[]> {
  return until(async () => {
    const all = (await on.stage.events()).filter(({ subject }) => subject === `wa.inbound.received.${phoneNumberId}`);
    return all.length >= count && all.map(({ data }) => fromBinary(InboundEventSchema, data));
  });
}

test("an inbound message is stored once, however often it comes, and claims know when the user wrote", async () => {
  const phoneNumberId = "142";
  await declare(on.client, phoneNumberId);
  const inbound = wrote(phoneNumberId, "wamid.in.142");
  await Promise.all([on.client.ingest({ inbound: [inbound, inbound] }), on.client.ingest({ inbound: [inbound] })]);
  await on.client.ingest({ inbound: [inbound, wrote(phoneNumberId, "wamid.in.142b")] });
  const events = await inboundEvents(phoneNumberId, 2);
  assert.deepEqual(
    events.map(({ eventId }) => eventId),
    ["wamid.in.142.received", "wamid.in.142b.received"],
  );
  const { term } = await acquire(on.client, phoneNumberId);
  await on.client.send(textTo(now, phoneNumberId));
  const { messages } = await on.client.claim({ phoneNumberId, term, replyLimit: 1 });
  assert.deepEqual(messages[0]?.lastInboundAt && timestampDate(messages[0].lastInboundAt), now);
});

test("a user's quote of our message names it by the id that the client knows", async () => {
  const { phoneNumberId, term, messageId } = await onWire("143");
  await on.client.finish({ phoneNumberId, term, outcomes: [taken(messageId)] });
  const context = { context: { id: `wamid.up.${messageId}`, from: "4930143" } };
  await on.client.ingest({ inbound: [wrote(phoneNumberId, "wamid.in.143", context)] });
  const [event] = await inboundEvents(phoneNumberId, 1);
  assert.equal(JSON.parse(Buffer.from(event?.messageJson ?? []).toString()).context.id, toWamid(messageId));
});

test("one webhook with news of two numbers moves and tells each by its own", async () => {
  const one = await onWire("151");
  const two = await onWire("152");
  const inbound = ["151", "152"].map((phoneNumberId) => ({
    phoneNumberId,
    wabaId,
    wamid: `wamid.of.${phoneNumberId}`,
    from: "4915112345678",
    at: timestampFromDate(now),
    type: "text",
    messageJson: Buffer.from('{"text":{"body":"hi"}}'),
  }));
  await on.client.ingest({
    statuses: [
      status(one.messageId, "delivered", { phoneNumberId: "151" }),
      status(two.messageId, "read", { phoneNumberId: "152" }),
      // Of the other number's message: none of its own.
      status(two.messageId, "delivered", { phoneNumberId: "151", wamid: "wamid.mixed.up" }),
    ],
    inbound,
  });
  assert.equal(await stateOf(one.messageId), MessageState.DELIVERED);
  assert.equal(await stateOf(two.messageId), MessageState.READ);
  const subjects = await until(async () => {
    const all = (await on.stage.events()).map(({ subject }) => subject).filter((subject) => /\.15[12]$/.test(subject));
    const news = all.filter((subject) => !subject.startsWith("wa.number."));
    return news.length >= 7 && news.toSorted();
  });
  assert.deepEqual(subjects, [
    "wa.inbound.received.151",
    "wa.inbound.received.152",
    "wa.message.delivered.151",
    "wa.message.read.152",
    "wa.message.sent.151",
    "wa.message.sent.152",
    "wa.status.passed.151",
  ]);
});

test("account news go out by their hash, and what cannot be read is kept", async () => {
  const update = { wabaId, field: "account_update", valueJson: Buffer.from("{}"), at: timestampFromDate(now) };
  await on.client.ingest({
    accountUpdates: [update, { ...update, field: "no subject" }],
    unparsed: [{ body: Buffer.from("?"), error: "no JSON" }],
  });
  await on.client.ingest({ accountUpdates: [update] });
  const events = await until(async () => {
    const all = (await on.stage.events()).filter(({ subject }) => subject === `wa.account.account_update.${wabaId}`);
    return all.length > 0 && all;
  });
  assert.equal(events.length, 1, "the stream drops the repeat by its id");
  const { rows } = await on.stage.database.pool.query<{ error: string }>(
    "select error from messages.unparsed_updates order by id",
  );
  assert.deepEqual(
    rows.map(({ error }) => error),
    ["no JSON", "AccountUpdate has no usable ids"],
  );
});
