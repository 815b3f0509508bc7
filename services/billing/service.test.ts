// Billing as its peers meet it: news in by JetStream, questions by gRPC, on a real Postgres and NATS.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { jetstream } from "@nats-io/jetstream";
import type { ServiceError } from "#lib/errors.ts";
import { type Client, createClient } from "#lib/grpc.ts";
import { connectNats, ensureStream, type Nats } from "#lib/nats.ts";
import { BillingService } from "#proto/heliograph/billing/v1/billing_pb.ts";
import { InboundEventSchema } from "#proto/heliograph/messages/v1/events_pb.ts";
import { testLog } from "#test/env/log.ts";
import { privateNats } from "#test/env/nats.ts";
import { privateDatabase } from "#test/env/postgres.ts";
import { until } from "#test/until.ts";
import { readConfig } from "./config.ts";
import { startBilling } from "./start.ts";

const opened = new AsyncDisposableStack();
let now = day(1, "10:00");
let nats: Nats;
let billing: Client<typeof BillingService>;
let metricsUrl: string;

function day(n: number, time: string): Date {
  return new Date(`2026-03-0${n}T${time}Z`);
}

before(async () => {
  const database = opened.use(await privateDatabase({ services: ["billing"] }));
  const { url } = opened.use(await privateNats());
  nats = opened.use(await connectNats({ url, name: "test", log: testLog }));
  await ensureStream(nats, {
    name: "WA",
    subjects: ["wa.inbound.received.*"],
    replicas: 1,
    consumers: [{ durable: "billing", filterSubjects: ["wa.inbound.received.*"] }],
  });
  const config = readConfig({ DATABASE_URL: database.url, NATS_URL: url, LOG_LEVEL: testLog.level });
  const service = opened.use(await startBilling({ config, now: () => now }));
  billing = opened.use(createClient(BillingService, service.address));
  metricsUrl = `${service.http}/metrics`;
});

after(() => opened.disposeAsync());

type Said = { number?: string; from: string; at: Date; type?: string; json?: string };

async function say(...messages: Said[]): Promise<void> {
  const js = jetstream(nats);
  for (const { number = "100", from, at, type = "text", json = "{}" } of messages) {
    const event = create(InboundEventSchema, {
      phoneNumberId: number,
      from,
      type,
      at: timestampFromDate(at),
      messageJson: Buffer.from(json),
    });
    await js.publish(`wa.inbound.received.${number}`, toBinary(InboundEventSchema, event));
  }
}

async function windowOf(user: string, { number = "100", ledger }: { number?: string; ledger?: Date } = {}) {
  const query = { phoneNumberId: number, user, ...(ledger && { ledgerLastInboundAt: timestampFromDate(ledger) }) };
  const { windows } = await billing.batchGetWindows({ queries: [query] });
  const [window] = windows;
  assert.ok(window);
  return { open: window.open, closesAt: window.closesAt && timestampDate(window.closesAt) };
}

async function ignoredEvents(): Promise<number> {
  const text = await (await fetch(metricsUrl)).text();
  const counts = [...text.matchAll(/^billing_events_ignored_total\{.*\} (\d+)$/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

test("a message opens the window of its number and user, and of no other", async () => {
  await say({ from: "15550000001", at: day(1, "10:00") });
  await until(async () => (await windowOf("15550000001")).open);
  assert.deepEqual(await windowOf("15550000001"), { open: true, closesAt: day(2, "10:00") });
  assert.deepEqual(await windowOf("15550000001", { number: "200" }), { open: false, closesAt: undefined });
  assert.deepEqual(await windowOf("15550000002"), { open: false, closesAt: undefined });
});

test("the window closes at the instant it says", async () => {
  await say({ from: "15550000003", at: day(1, "10:00") });
  await until(async () => (await windowOf("15550000003")).open);
  now = day(2, "09:59:59.999");
  assert.equal((await windowOf("15550000003")).open, true);
  now = day(2, "10:00");
  assert.deepEqual(await windowOf("15550000003"), { open: false, closesAt: day(2, "10:00") });
  now = day(1, "10:00");
});

test("messages in wrong order, and a repeat, end at the latest", async () => {
  const from = "15550000004";
  now = day(1, "10:06");
  await say({ from, at: day(1, "10:05") }, { from, at: day(1, "10:01") }, { from, at: day(1, "10:03") });
  await say({ from, at: day(1, "10:05") }, { from: "15550000005", at: day(1, "10:06") });
  await until(async () => (await windowOf("15550000005")).open);
  assert.deepEqual(await windowOf(from), { open: true, closesAt: day(2, "10:05") });
});

test("what is no message opens nothing, and what cannot be read holds nobody up", async () => {
  const before = await ignoredEvents();
  await jetstream(nats).publish("wa.inbound.received.100", Buffer.from([0xff, 0xff]));
  await say(
    { from: "", at: day(1, "10:06") },
    { from: "15550000006", at: day(1, "10:06"), type: "reaction", json: '{"reaction":{"message_id":"wamid.1"}}' },
    { from: "15550000007", at: day(1, "10:06"), type: "system" },
    { from: "15550000008", at: day(1, "10:06"), json: '{"group_id":"g1","text":{"body":"hi"}}' },
    { from: "15550000009", at: day(1, "10:06"), json: String.raw`{"text":{"body":"\"group_id\""}}` },
    {
      from: "15550000010",
      at: day(1, "10:06"),
      type: "reaction",
      json: '{"reaction":{"message_id":"wamid.1","emoji":"👍"}}',
    },
  );
  await until(async () => (await windowOf("15550000010")).open);
  assert.equal((await windowOf("15550000006")).open, false);
  assert.equal((await windowOf("15550000007")).open, false);
  assert.equal((await windowOf("15550000008")).open, false);
  assert.equal((await windowOf("15550000009")).open, true);
  assert.equal(await ignoredEvents(), before + 2);
});

test("a fast bot is not refused: the ledger's later knowledge counts", async () => {
  const ledger = new Date(now.getTime() - 40);
  const closesAt = new Date(ledger.getTime() + 86_400_000);
  assert.deepEqual(await windowOf("15550000011", { ledger }), { open: true, closesAt });
  assert.deepEqual(await windowOf("15550000010", { ledger: day(1, "09:00") }), {
    open: true,
    closesAt: day(2, "10:06"),
  });
});

test("many are answered in the order asked", async () => {
  const users = ["15550000099", "15550000001", "15550000099", "15550000004"];
  const { windows } = await billing.batchGetWindows({ queries: users.map((user) => ({ phoneNumberId: "100", user })) });
  assert.deepEqual(
    windows.map(({ open }) => open),
    [false, true, false, true],
  );
  assert.deepEqual((await billing.batchGetWindows({ queries: [] })).windows, []);
});

test("an incomplete question is refused, and what is not built says so", async () => {
  const failsWith = (code: string, reason: string) => (error: ServiceError) =>
    error.code === code && error.reason === reason;
  await assert.rejects(
    billing.batchGetWindows({ queries: [{ user: "1" }] }),
    failsWith("INVALID_ARGUMENT", "query_incomplete"),
  );
  await assert.rejects(billing.getForecast({ wabaId: "1" }), failsWith("UNIMPLEMENTED", "not_built"));
});
