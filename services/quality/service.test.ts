// Quality as its peers meet it: news in by JetStream, questions by gRPC, on a real Postgres and NATS.
// The peers that it asks (messages, a connection) are gRPC servers of this test.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { jetstream } from "@nats-io/jetstream";
import { v7 as newId } from "uuid";
import { ServiceError } from "#lib/errors.ts";
import { type Client, createClient, serve, startGrpc } from "#lib/grpc.ts";
import { createRegistry } from "#lib/http.ts";
import { connectNats, ensureStream, type Nats } from "#lib/nats.ts";
import type { Pool } from "#lib/postgres.ts";
import { type GetPhoneNumberResponseSchema, UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import { AccountEventSchema, MessageEventSchema, NumberEventSchema } from "#proto/heliograph/messages/v1/events_pb.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { type NumberQuality, QualityService } from "#proto/heliograph/quality/v1/quality_pb.ts";
import { testLog } from "#test/env/log.ts";
import { privateNats } from "#test/env/nats.ts";
import { privateDatabase } from "#test/env/postgres.ts";
import { until } from "#test/until.ts";
import type { MessageVerb } from "./domain/limit.ts";
import { readConfig } from "./config.ts";
import { startQuality } from "./start.ts";

const hour = 3_600_000;
const opened = new AsyncDisposableStack();
let now = new Date("2026-03-02T12:00:00Z");
let nats: Nats;
let db: Pool;
let quality: Client<typeof QualityService>;

// What the scripted WhatsApp tells of each number; a number without an entry is not connected.
const told = new Map<string, MessageInitShape<typeof GetPhoneNumberResponseSchema>>();
// How often the connection of a number is still to fail.
const failures = new Map<string, number>();

before(async () => {
  const database = opened.use(await privateDatabase({ services: ["quality"] }));
  db = database.pool;
  const { url } = opened.use(await privateNats());
  nats = opened.use(await connectNats({ url, name: "test", log: testLog }));
  const subjects = ["wa.message.>", "wa.number.>", "wa.account.>"];
  const consumers = [{ durable: "quality", filterSubjects: subjects }];
  await ensureStream(nats, { name: "WA", subjects, replicas: 1, consumers });
  const config = readConfig({
    DATABASE_URL: database.url,
    NATS_URL: url,
    MESSAGES_ADDRESS: await startMessages(),
    REFRESH_POLL_MS: "20",
    LOG_LEVEL: testLog.level,
  });
  const service = opened.use(await startQuality({ config, now: () => now }));
  quality = opened.use(createClient(QualityService, service.address));
});

after(() => opened.disposeAsync());

async function startPeer(service: ReturnType<typeof serve>): Promise<string> {
  const registry = createRegistry("peer");
  return opened.use(await startGrpc({ host: "127.0.0.1", port: 0, services: [service], log: testLog, registry }))
    .address;
}

const connections = new Map<string, string>();

function startMessages(): Promise<string> {
  return startPeer(
    serve(MessagesService, {
      getNumber({ phoneNumberId }) {
        const address = connections.get(phoneNumberId);
        const connection = { connected: address !== undefined, address: address ?? "" };
        return Promise.resolve({ number: { phoneNumberId, connection } });
      },
    }),
  );
}

// Each test has a number of its own, of an account and a portfolio of its own.
let lastId = 1_000;
let number = "";
let waba = "";
let business = "";

beforeEach(async () => {
  number = nextId();
  waba = nextId();
  business = nextId();
  tell(number);
  connections.set(number, await startConnection(number));
});

function nextId(): string {
  lastId += 1;
  return String(lastId);
}

function tell(phoneNumberId: string, more: MessageInitShape<typeof GetPhoneNumberResponseSchema> = {}): void {
  told.set(phoneNumberId, {
    phoneNumberId,
    wabaId: waba,
    businessId: business,
    qualityRating: "GREEN",
    status: "CONNECTED",
    messagingLimitTier: "TIER_250",
    throughputLevel: "STANDARD",
    nameStatus: "APPROVED",
    verifiedName: "Lucky Shrub",
    ...more,
  });
}

function startConnection(phoneNumberId: string): Promise<string> {
  return startPeer(
    serve(UpstreamService, {
      getPhoneNumber() {
        const left = failures.get(phoneNumberId) ?? 0;
        if (left > 0) {
          failures.set(phoneNumberId, left - 1);
          return Promise.reject(new ServiceError("UNAVAILABLE", "upstream_unavailable", "WhatsApp did not answer"));
        }
        return Promise.resolve({ ...told.get(phoneNumberId), observedAt: timestampFromDate(now) });
      },
    }),
  );
}

async function view(phoneNumberId = number): Promise<NumberQuality> {
  const { quality: found } = await quality.getNumberQuality({ phoneNumberId });
  assert.ok(found);
  return found;
}

const used = async (): Promise<number> => Number((await view()).used);

type Asked = { messageId: string; user: string };

function messagesTo(...users: string[]): Asked[] {
  return users.map((user) => ({ messageId: newId(), user }));
}

function usersFrom(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(15_550_000_000 + first + index));
}

/** One word for each. */
async function reserve(items: Asked[], phoneNumberId = number): Promise<string[]> {
  const { results } = await quality.reserve({ phoneNumberId, items });
  assert.deepEqual(
    results.map(({ messageId }) => messageId),
    items.map(({ messageId }) => messageId),
  );
  return results.map(({ verdict }) => (verdict.case === "refusal" ? verdict.value.reason : String(verdict.case)));
}

async function publish(verb: MessageVerb, items: readonly Asked[], at: Date = now): Promise<void> {
  for (const { messageId, user } of items) {
    const event = create(MessageEventSchema, {
      verb,
      messageId,
      phoneNumberId: number,
      recipient: user,
      templateName: "order_update",
      at: timestampFromDate(at),
    });
    await jetstream(nats).publish(`wa.message.${verb}.${number}`, toBinary(MessageEventSchema, event));
  }
}

/** Ends when all that was published before has been handled: the same durable consumer reads in order. */
async function settled(): Promise<void> {
  const [mark] = messagesTo("15559999999");
  assert.ok(mark);
  const { results } = await quality.reserve({ phoneNumberId: `mark ${number}`, items: [mark] });
  assert.equal(results[0]?.verdict.case, "reserved");
  await publish("delivered", [mark]);
  await until(async () => {
    const { rows } = await db.query("select from quality.reservations where message_id = $1", [mark.messageId]);
    return rows.length === 0;
  });
}

async function connect(phoneNumberId = number): Promise<void> {
  const event = create(NumberEventSchema, { verb: "connected", phoneNumberId, wabaId: waba, term: 1n });
  await jetstream(nats).publish(`wa.number.connected.${phoneNumberId}`, toBinary(NumberEventSchema, event));
}

async function tellAccount(field: string, value: Record<string, unknown> | string): Promise<void> {
  const json = typeof value === "string" ? value : JSON.stringify(value);
  const event = create(AccountEventSchema, {
    wabaId: waba,
    field,
    valueJson: Buffer.from(json),
    at: timestampFromDate(now),
  });
  await jetstream(nats).publish(`wa.account.${field}.${waba}`, toBinary(AccountEventSchema, event));
}

const later = (ms: number): Date => new Date(now.getTime() + ms);

test("the facts are read when the number connects", async () => {
  await connect();
  await until(view);
  const found = await view();
  assert.equal(found.wabaId, waba);
  assert.equal(found.qualityRating, "GREEN");
  assert.equal(found.status, "CONNECTED");
  assert.equal(found.messagingLimitTier, "TIER_250");
  assert.equal(found.messagingLimit, 250n);
  assert.equal(found.used, 0n);
  assert.equal(found.verifiedName, "Lucky Shrub");
  assert.deepEqual(found.observedAt && timestampDate(found.observedAt), now);
});

test("300 at once at 100 below the limit: exactly 100 are admitted", async () => {
  await quality.refreshNumber({ phoneNumberId: number });
  await reserve(messagesTo(...usersFrom(0, 150)));
  const calls = Array.from({ length: 60 }, (_, call) => messagesTo(...usersFrom(1_000 + 5 * call, 5)));
  const verdicts = await Promise.all(calls.map((items) => reserve(items)));
  const admitted = verdicts.flat().filter((verdict) => verdict === "reserved");
  assert.equal(admitted.length, 100);
  assert.equal(await used(), 250);
});

test("a user who counts already is admitted above the limit, and a repeated message holds one place", async () => {
  tell(number, { messagingLimitTier: "TIER_2" });
  await quality.refreshNumber({ phoneNumberId: number });
  const [first, second, third] = usersFrom(0, 3);
  assert.ok(first && second && third);
  const items = messagesTo(first, second);
  assert.deepEqual(await reserve(items), ["reserved", "reserved"]);
  assert.deepEqual(await reserve(items), ["reserved", "reserved"]);
  assert.deepEqual(await reserve(messagesTo(first, third)), ["reserved", "limit_reached"]);
  assert.equal(await used(), 2);
});

test("a preview answers what Reserve then answers, and changes nothing", async () => {
  tell(number, { messagingLimitTier: "TIER_2" });
  await quality.refreshNumber({ phoneNumberId: number });
  const [first, second, third] = usersFrom(0, 3);
  assert.ok(first && second && third);
  await reserve(messagesTo(first));
  const items = messagesTo(first, second, second, third);
  const preview = async () => quality.previewReserve({ phoneNumberId: number, items });
  const previewed = await preview();
  assert.deepEqual([previewed.messagingLimit, previewed.used, previewed.usedAfter], [2n, 1n, 2n]);
  assert.deepEqual(await preview(), previewed);
  assert.equal(await used(), 1);
  const { results } = await quality.reserve({ phoneNumberId: number, items });
  assert.deepEqual(previewed.results, results);
  assert.deepEqual(
    results.map(({ verdict }) => verdict.case),
    ["reserved", "reserved", "reserved", "refusal"],
  );

  // Places whose time has passed are free to a preview, though their rows are still there.
  now = later(hour);
  const freed = await quality.previewReserve({ phoneNumberId: number, items: messagesTo(third) });
  assert.deepEqual([freed.used, freed.usedAfter, freed.results[0]?.verdict.case], [0n, 1n, "reserved"]);
});

test("a preview of a number that was never heard of takes it in as little as any other", async () => {
  const unheard = `${number}0`;
  const { results, messagingLimit } = await quality.previewReserve({
    phoneNumberId: unheard,
    items: messagesTo("15550000001"),
  });
  assert.deepEqual([results[0]?.verdict.case, messagingLimit], ["reserved", undefined]);
  await assert.rejects(quality.getNumberQuality({ phoneNumberId: unheard }), { reason: "number_unknown" });
});

test("a refusal says when the first place becomes free, and then it is", async () => {
  tell(number, { messagingLimitTier: "TIER_2" });
  await quality.refreshNumber({ phoneNumberId: number });
  const items = messagesTo(...usersFrom(0, 2));
  await reserve(items);
  await publish("sent", items);
  await publish("delivered", items.slice(0, 1), later(-hour));
  await settled();
  const asked = messagesTo("15550009999");
  const { results } = await quality.reserve({ phoneNumberId: number, items: asked });
  const [result] = results;
  assert.ok(result?.verdict.case === "refusal" && result.verdict.value.earliestAt);
  assert.deepEqual(timestampDate(result.verdict.value.earliestAt), later(23 * hour));

  now = later(23 * hour - 1);
  assert.deepEqual(await reserve(asked), ["limit_reached"]);
  now = later(1);
  assert.equal(await used(), 1);
  assert.deepEqual(await reserve(asked), ["reserved"]);
  assert.equal(await used(), 2);
});

test("a message that failed gives its place back at once", async () => {
  tell(number, { messagingLimitTier: "TIER_1" });
  await quality.refreshNumber({ phoneNumberId: number });
  const items = messagesTo("15550000001");
  await reserve(items);
  await publish("failed", items);
  await settled();
  assert.equal(await used(), 0);
  assert.deepEqual(await reserve(messagesTo("15550000002")), ["reserved"]);
});

test("of two messages to a user one fails: the place is kept by the other", async () => {
  await quality.refreshNumber({ phoneNumberId: number });
  const [first, second] = messagesTo("15550000001", "15550000001");
  assert.ok(first && second);
  await reserve([first, second]);
  await publish("failed", [first]);
  await publish("sent", [second]);
  await settled();
  assert.equal(await used(), 1);
});

test("a reservation lapses after 15 minutes, once sent after 24 hours, and a late delivery still counts", async () => {
  await quality.refreshNumber({ phoneNumberId: number });
  const [unsent, sent] = messagesTo("15550000001", "15550000002");
  assert.ok(unsent && sent);
  await reserve([unsent, sent]);
  await publish("sent", [sent]);
  await settled();
  now = later(15 * 60_000);
  assert.equal(await used(), 1);
  now = later(24 * hour);
  assert.equal(await used(), 0);
  await reserve(messagesTo("15550000003"));
  await publish("delivered", [sent]);
  await settled();
  assert.equal(await used(), 2);
  assert.deepEqual(await reserve([unsent]), ["reserved"]);
  assert.equal(await used(), 3);
});

test("repeated events change nothing, and messages without a reservation write nothing", async () => {
  await quality.refreshNumber({ phoneNumberId: number });
  const items = messagesTo("15550000001");
  await reserve(items);
  await publish("sent", items);
  await publish("delivered", items);
  await settled();
  const at = now;
  now = later(hour);
  await publish("delivered", items);
  await publish("sent", items);
  await publish("read", items);
  await publish("delivered", messagesTo("15550000001", "15550000009"));
  await settled();
  now = new Date(at.getTime() + 24 * hour);
  assert.equal(await used(), 0);
});

test("the numbers of a portfolio share the limit, and a user of both counts once", async () => {
  tell(number, { messagingLimitTier: "TIER_2" });
  await quality.refreshNumber({ phoneNumberId: number });
  const other = nextId();
  connections.set(other, await startConnection(other));
  tell(other, { messagingLimitTier: "TIER_2", wabaId: nextId() });
  await quality.refreshNumber({ phoneNumberId: other });
  assert.deepEqual(await reserve(messagesTo("15550000001", "15550000002")), ["reserved", "reserved"]);
  assert.deepEqual(await reserve(messagesTo("15550000001", "15550000003"), other), ["reserved", "limit_reached"]);
  assert.equal((await view(other)).used, 2n);
});

test("what was reserved before WhatsApp told the limit counts once it is told", async () => {
  tell(number, { messagingLimitTier: "TIER_2" });
  const other = nextId();
  connections.set(other, await startConnection(other));
  tell(other, { messagingLimitTier: "TIER_2" });
  await quality.refreshNumber({ phoneNumberId: other });
  await reserve(messagesTo("15550000001"), other);
  assert.deepEqual(await reserve(messagesTo(...usersFrom(1, 3))), ["reserved", "reserved", "reserved"]);
  await quality.refreshNumber({ phoneNumberId: number });
  assert.equal(await used(), 3);
  assert.deepEqual(await reserve(messagesTo("15550009999"), other), ["limit_reached"]);
});

test("a restricted number starts no conversation", async () => {
  tell(number, { status: "RESTRICTED" });
  await quality.refreshNumber({ phoneNumberId: number });
  assert.deepEqual(await reserve(messagesTo("15550000001")), ["number_restricted"]);
  assert.equal(await used(), 0);
});

test("a reported limit is adopted at once, and account news are followed by a reading", async () => {
  await quality.refreshNumber({ phoneNumberId: number });
  now = later(1_000);
  connections.delete(number);
  await tellAccount("business_capability_update", { max_daily_conversations_per_business: 2_000 });
  await until(async () => (await view()).messagingLimit === 2_000n);
  now = later(1_000);
  await tellAccount("phone_number_quality_update", {
    event: "ONBOARDING",
    max_daily_conversations_per_business: "TIER_UNLIMITED",
  });
  await until(async () => (await view()).messagingLimit === undefined);
  assert.equal((await view()).messagingLimitTier, "TIER_UNLIMITED");

  tell(number, { messagingLimitTier: "TIER_UNLIMITED", qualityRating: "RED" });
  connections.set(number, await startConnection(number));
  await tellAccount("account_update", "no JSON");
  await tellAccount("account_update", { event: "ACCOUNT_VIOLATION" });
  await until(async () => (await view()).qualityRating === "RED");
});

test("the facts are read again every hour, and after a failure sooner", async () => {
  await quality.refreshNumber({ phoneNumberId: number });
  tell(number, { qualityRating: "YELLOW" });
  failures.set(number, 1);
  now = later(67 * 60_000);
  await until(async () => {
    now = later(1_000);
    return (await view()).qualityRating === "YELLOW";
  });
});

test("an unknown or removed number is unknown, one that is not connected cannot be read", async () => {
  const fails = (code: string, reason: string) => (error: ServiceError) =>
    error.code === code && error.reason === reason;
  await assert.rejects(quality.getNumberQuality({ phoneNumberId: "7" }), fails("NOT_FOUND", "number_unknown"));
  await assert.rejects(
    quality.refreshNumber({ phoneNumberId: "7" }),
    fails("FAILED_PRECONDITION", "number_disconnected"),
  );
  await assert.rejects(
    quality.reserve({ phoneNumberId: "7", items: [{ messageId: "1", user: "2" }] }),
    fails("INVALID_ARGUMENT", "item_invalid"),
  );
  await assert.rejects(quality.getAdvice({ phoneNumberId: "7" }), fails("UNIMPLEMENTED", "not_built"));
  await quality.refreshNumber({ phoneNumberId: number });
  const event = create(NumberEventSchema, { verb: "removed", phoneNumberId: number, wabaId: waba });
  await jetstream(nats).publish(`wa.number.removed.${number}`, toBinary(NumberEventSchema, event));
  await until(() => view().then(() => false, fails("NOT_FOUND", "number_unknown")));
});

test("the count of every scope is the number of its users", async () => {
  const { rows } = await db.query(`
    select s.scope_id from quality.limit_scopes s
    where s.used <> (select count(*) from quality.limit_users u where u.scope_id = s.scope_id)`);
  assert.deepEqual(rows, []);
});
