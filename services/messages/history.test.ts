// What the ledger tells of its messages afterwards: their history, lists by trait, and taking them back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { toWamid } from "#dialects/message-id.ts";
import { type ListMessagesRequest, MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { until } from "#test/until.ts";
import {
  acquire,
  declare,
  drawId,
  type MessagesClient,
  openStage,
  outcome,
  type Stage,
  status,
  textTo,
} from "./test-messages.ts";

const start = new Date("2026-03-02T10:00:00Z");
let now = start;
const opened = new AsyncDisposableStack();
let stage: Stage;
let client: MessagesClient;

before(async () => {
  stage = opened.use(await openStage(() => now));
  ({ client } = await stage.start());
});
after(() => opened.disposeAsync());

const later = (ms: number): Date => new Date(start.getTime() + ms);

function wordOf(state: MessageState | undefined): string | undefined {
  return Object.entries(MessageState).find(([, value]) => value === state)?.[0];
}

async function historyOf(messageId: string): Promise<string[]> {
  const { message } = await client.getMessage({ messageId });
  return (message?.history ?? []).map(({ state, at, attempt, term, reason }) => {
    const sinceMs = at === undefined ? Number.NaN : timestampDate(at).getTime() - start.getTime();
    return `${sinceMs} ${wordOf(state)} ${attempt} ${term} ${reason}`.trim();
  });
}

test("a message tells every step of its life, with attempt, term and reason", async () => {
  const phoneNumberId = "401";
  await declare(client, phoneNumberId);
  const { messageId } = await client.send(textTo(now, phoneNumberId));
  const { term } = await acquire(client, phoneNumberId);
  now = later(1_000);
  const wait = { case: "wait", value: { until: timestampFromDate(later(2_000)), reason: "paced" } } as const;
  await client.finish({ phoneNumberId, term, outcomes: [outcome(messageId, wait)] });
  now = later(3_000);
  await client.begin({ phoneNumberId, term, attempts: [{ messageId, attempt: 1 }] });
  await acquire(client, phoneNumberId);
  now = later(4_000);
  await client.ingest({ statuses: ["sent", "read"].map((word) => status(messageId, word, { phoneNumberId })) });
  assert.deepEqual(await historyOf(messageId), [
    "0 ACCEPTED 0 0",
    "1000 WAITING 0 1 paced",
    "3000 SENDING 1 1",
    "3000 UNKNOWN 1 2 holder_changed",
    "4000 SENT 1 0",
    "4000 READ 1 0",
  ]);
});

/** Ids of all pages. */
async function pages(filter: Partial<ListMessagesRequest>): Promise<string[][]> {
  const all: string[][] = [];
  for (let pageToken: string | undefined; pageToken !== "";) {
    const { $typeName: _, ...asked } = { $typeName: "", ...filter };
    const page = await client.listMessages({ ...asked, pageToken: pageToken ?? "" });
    all.push(page.messages.map(({ messageId }) => messageId));
    pageToken = page.nextPageToken;
  }
  return all;
}

test("a list is filtered by every trait, newest first, page by page, over days", async () => {
  const phoneNumberId = "402";
  await declare(client, phoneNumberId);
  const day = 86_400_000;
  const sends = [
    textTo(later(-day), phoneNumberId, { recipient: "4915100000001", campaign: "spring" }),
    textTo(later(-day + 1), phoneNumberId, { recipient: "4915100000002" }),
    textTo(later(1), phoneNumberId, {
      recipient: "4915100000001",
      category: "UTILITY",
      content: { kind: { case: "template", value: { name: "order_update", language: "en_US" } } },
    }),
    textTo(later(2), phoneNumberId, { recipient: "4915100000002", campaign: "spring" }),
    textTo(later(3), phoneNumberId, { recipient: "4915100000001", campaign: "spring" }),
  ];
  now = later(0);
  for (const send of sends) await client.send(send);
  const ids = sends.map(({ messageId }) => messageId);
  const at = (...indexes: number[]) => indexes.map((index) => ids[index]);
  await client.cancelMessages({ messageId: ids[3] ?? "" });

  assert.deepEqual(await pages({ phoneNumberId }), [at(4, 3, 2, 1, 0)]);
  assert.deepEqual(await pages({ phoneNumberId, pageSize: 2 }), [at(4, 3), at(2, 1), at(0)]);
  assert.deepEqual(await pages({ phoneNumberId, pageSize: 5 }), [at(4, 3, 2, 1, 0)], "no empty page at the end");
  assert.deepEqual(await pages({ recipient: "4915100000001" }), [at(4, 2, 0)]);
  assert.deepEqual(await pages({ recipient: "4915100000001", pageSize: 1 }), [at(4), at(2), at(0)]);
  assert.deepEqual(await pages({ phoneNumberId, campaign: "spring" }), [at(4, 3, 0)]);
  assert.deepEqual(await pages({ phoneNumberId, templateName: "order_update" }), [at(2)]);
  assert.deepEqual(await pages({ phoneNumberId, state: MessageState.CANCELLED }), [at(3)]);
  assert.deepEqual(await pages({ phoneNumberId, from: timestampFromDate(later(2)) }), [at(4, 3)]);
  assert.deepEqual(await pages({ phoneNumberId, to: timestampFromDate(later(0)) }), [at(1, 0)]);
  assert.deepEqual(await pages({ phoneNumberId: "499" }), [[]]);
  const { messages } = await client.listMessages({ phoneNumberId, state: MessageState.CANCELLED });
  assert.deepEqual(
    messages[0]?.history.map(({ state, reason }) => [state, reason]),
    [
      [MessageState.ACCEPTED, ""],
      [MessageState.CANCELLED, "cancelled"],
    ],
  );
  await assert.rejects(client.listMessages({ pageSize: 501 }), { code: "INVALID_ARGUMENT" });
  await assert.rejects(client.listMessages({ pageToken: "x" }), { code: "INVALID_ARGUMENT" });
  await assert.rejects(client.listMessages({ recipient: "+49" }), { code: "INVALID_ARGUMENT" });
});

test("what is not yet on its way is cancelled, and the customer hears of it", async () => {
  const phoneNumberId = "403";
  await declare(client, phoneNumberId);
  const { term } = await acquire(client, phoneNumberId);
  const [queued, begun] = [textTo(now, phoneNumberId), textTo(now, phoneNumberId)];
  for (const send of [queued, begun]) await client.send(send);
  await client.begin({ phoneNumberId, term, attempts: [{ messageId: begun.messageId, attempt: 1 }] });

  assert.equal((await client.cancelMessages({ messageId: queued.messageId, phoneNumberId })).cancelled, 1n);
  assert.equal((await client.cancelMessages({ messageId: queued.messageId })).cancelled, 0n, "once");
  assert.equal((await client.cancelMessages({ messageId: begun.messageId })).cancelled, 0n);
  const attempts = [{ messageId: queued.messageId, attempt: 1 }];
  assert.deepEqual((await client.begin({ phoneNumberId, term, attempts })).messageIds, []);
  assert.deepEqual((await client.claim({ phoneNumberId, term, replyLimit: 10 })).messages, []);
  const news = await until(() => stage.news(queued.messageId).then((all) => all.length > 0 && all));
  assert.deepEqual(
    news.map(({ eventId, reason }) => [eventId, reason]),
    [[`${queued.messageId}.0.cancelled`, "cancelled"]],
  );

  await assert.rejects(client.cancelMessages({ messageId: drawId(now) }), { reason: "message_unknown" });
  await assert.rejects(client.cancelMessages({ messageId: queued.messageId, phoneNumberId: "404" }), {
    reason: "message_unknown",
  });
  await assert.rejects(client.cancelMessages({}), { code: "INVALID_ARGUMENT" });
  await assert.rejects(client.cancelMessages({ campaign: "x" }), { code: "INVALID_ARGUMENT" });
  await assert.rejects(client.cancelMessages({ campaign: "x", phoneNumberId: "498" }), { reason: "number_unknown" });
});

test("a campaign of a number is cancelled in many commits, and nothing else", async () => {
  const phoneNumberId = "405";
  for (const one of [phoneNumberId, "406"]) await declare(client, one);
  const campaign = "summer";
  await Promise.all(Array.from({ length: 600 }, () => client.send(textTo(now, phoneNumberId, { campaign }))));
  const others = [
    textTo(now, phoneNumberId),
    textTo(now, phoneNumberId, { campaign: "winter" }),
    textTo(now, "406", { campaign }),
  ];
  for (const send of others) await client.send(send);
  assert.equal((await client.cancelMessages({ phoneNumberId, campaign })).cancelled, 600n);
  assert.equal((await client.cancelMessages({ phoneNumberId, campaign })).cancelled, 0n);
  for (const { messageId } of others) {
    assert.equal((await client.getMessage({ messageId })).message?.state, MessageState.ACCEPTED);
  }
});

test("a message is not sent after its time to live, its own or the number's", async () => {
  const phoneNumberId = "407";
  now = later(0);
  await declare(client, phoneNumberId, { defaultTtlSeconds: 60 });
  const { term } = await acquire(client, phoneNumberId);
  const [own, general, long] = [
    textTo(now, phoneNumberId, { ttlSeconds: 5 }),
    textTo(now, phoneNumberId),
    textTo(now, phoneNumberId, { ttlSeconds: 3_600 }),
  ];
  for (const send of [own, general, long]) await client.send(send);
  const claimed = async (): Promise<string[]> => {
    const { messages } = await client.claim({ phoneNumberId, term, replyLimit: 10 });
    return messages.map(({ messageId }) => messageId);
  };
  assert.deepEqual(await claimed(), [own.messageId, general.messageId, long.messageId]);
  now = later(5_000);
  assert.deepEqual(await claimed(), [general.messageId, long.messageId]);
  const attempts = [{ messageId: own.messageId, attempt: 1 }];
  assert.deepEqual((await client.begin({ phoneNumberId, term, attempts })).messageIds, []);
  now = later(60_000);
  const states = await until(async () => {
    const all = await Promise.all([own, general, long].map(({ messageId }) => client.getMessage({ messageId })));
    const words = all.map(({ message }) => wordOf(message?.state));
    return words[1] === "EXPIRED" && words;
  });
  assert.deepEqual(states, ["EXPIRED", "EXPIRED", "ACCEPTED"]);
  const news = await until(() => stage.news(own.messageId).then((all) => all[0]));
  assert.deepEqual([news.verb, news.reason], ["expired", "expired"]);
});

test("a message that is not sent yet tells what holds it, found when one asks", async () => {
  const phoneNumberId = "190";
  await declare(client, phoneNumberId);
  const accept = async (recipient: string, rest = {}) =>
    (await client.send(textTo(now, phoneNumberId, { recipient, ...rest }))).messageId;
  const first = await accept("491521000001");
  const second = await accept("491521000001");
  const third = await accept("491521000002");
  const holdOf = async (messageId: string): Promise<string> => {
    const { hold } = (await client.getMessage({ messageId })).message ?? {};
    if (hold === undefined) return "";
    const until = hold.until === undefined ? "" : timestampDate(hold.until).toISOString();
    return [hold.reason, hold.ahead || "", until].filter((part) => part !== "").join(" ");
  };
  assert.equal(await holdOf(first), "number_disconnected");
  const { term } = await acquire(client, phoneNumberId);
  await until(async () => (await holdOf(first)) === "");
  assert.equal(await holdOf(second), "behind_earlier 1");
  assert.equal(await holdOf(third), "pace 2");
  const quote = await accept("491521000003", {
    content: { kind: { case: "text", value: { body: "so" } }, contextMessageId: toWamid(third) },
  });
  assert.equal(await holdOf(quote), "quoted_not_sent");

  await client.begin({ phoneNumberId, term, attempts: [{ messageId: first, attempt: 1 }] });
  assert.equal(await holdOf(first), "", "on the wire nothing holds it");
  assert.equal(await holdOf(second), "behind_earlier 1");
  const dueAt = new Date(now.getTime() + 60_000);
  const wait = { until: timestampFromDate(dueAt), reason: "throughput_reached" };
  await client.finish({ phoneNumberId, term, outcomes: [outcome(first, { case: "wait", value: wait })] });
  assert.equal(await holdOf(first), `throughput_reached ${dueAt.toISOString()}`);

  const rest = { restReason: "account_call_limit", restsUntil: timestampFromDate(dueAt) };
  await client.renew({ phoneNumberId, term, ...rest });
  await until(async () => (await holdOf(third)) === `account_call_limit ${dueAt.toISOString()}`);
  const { number } = await client.getNumber({ phoneNumberId });
  assert.deepEqual([number?.connection?.standing, number?.connection?.restReason], ["", "account_call_limit"]);
  const { messages } = await client.listMessages({ phoneNumberId });
  assert.deepEqual(
    messages.map(({ hold }) => hold?.reason),
    Array.from(messages, () => "account_call_limit"),
  );
  await client.renew({ phoneNumberId, term });
  await until(async () => (await holdOf(third)) !== `account_call_limit ${dueAt.toISOString()}`);
  await client.removeNumber({ phoneNumberId });
  await until(async () => (await holdOf(third)) === "number_removed");
});
