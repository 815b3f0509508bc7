// The ledger as its tests meet it: the real service on a database and a NATS of its own, its client, and what it publishes.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before } from "node:test";
import { type DescMessage, fromBinary, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { v7 as uuidv7 } from "uuid";
import { toCallbackData } from "#dialects/callback-data.ts";
import { type Client, createClient } from "#lib/grpc.ts";
import { connectNats, type Nats } from "#lib/nats.ts";
import type { Pool } from "#lib/postgres.ts";
import { type MessageEvent, MessageEventSchema } from "#proto/heliograph/messages/v1/events_pb.ts";
import {
  type LeaseGranted,
  MessagesService,
  type NumberSpecSchema,
  type OutcomeSchema,
  type SendRequestSchema,
  type StatusUpdateSchema,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import { testLog } from "#test/env/log.ts";
import { type PrivateNats, privateNats } from "#test/env/nats.ts";
import { type PrivateDatabase, privateDatabase } from "#test/env/postgres.ts";
import { readConfig } from "./config.ts";
import { startMessages } from "./start.ts";

export type MessagesClient = Client<typeof MessagesService>;

/** A request or part of one as a test writes it: an init object, not a message. */
type Init<Desc extends DescMessage> = Exclude<MessageInitShape<Desc>, Message>;

export const wabaId = "500";

/** One database and NATS, with as many copies of the service as a test starts. */
export type Stage = AsyncDisposable & {
  database: PrivateDatabase;
  natsServer: PrivateNats;
  nats: Nats;
  /** Starts a copy of the service, unless the signal aborts; it ends with the stage at the latest. */
  start(env?: Record<string, string>, signal?: AbortSignal): Promise<Copy>;
  /** Every event published so far with its subject, in order. */
  events(): Promise<{ subject: string; data: Uint8Array }[]>;
  /** `verb message` of the messages' events, or those of one message. */
  news(messageId?: string): Promise<MessageEvent[]>;
};

/** Addresses at which nobody listens: only Explain asks them. */
const noPeers = { TEMPLATES_ADDRESS: "127.0.0.1:1", BILLING_ADDRESS: "127.0.0.1:1", QUALITY_ADDRESS: "127.0.0.1:1" };

export type Copy = AsyncDisposable & { client: MessagesClient; httpUrl: string };

export async function openStage(now: () => Date): Promise<Stage> {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await privateDatabase({ services: ["messages"] }));
  const natsServer = opened.use(await privateNats());
  const nats = opened.use(await connectNats({ url: natsServer.url, name: "test", log: testLog }));
  const running = opened.move();
  const events = (): Promise<{ subject: string; data: Uint8Array }[]> => readStream(nats);
  return {
    database,
    natsServer,
    nats,
    events,
    async start(env = {}, signal = new AbortController().signal) {
      const config = readConfig({
        DATABASE_URL: database.url,
        NATS_URL: natsServer.url,
        LOG_LEVEL: testLog.level,
        ...noPeers,
        ...env,
      });
      const service = running.use(await startMessages({ config, now, signal }));
      const client = running.use(createClient(MessagesService, service.grpcAddress));
      return { client, httpUrl: service.httpUrl, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
    },
    async news(messageId) {
      const all = await events();
      return all
        .filter(({ subject }) => subject.startsWith("wa.message."))
        .map(({ data }) => fromBinary(MessageEventSchema, data))
        .filter((event) => messageId === undefined || event.messageId === messageId);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** For all tests of a file: a stage with one copy of the service, from before the first to after the last. */
export function useStage(now: () => Date): { readonly stage: Stage; readonly client: MessagesClient } {
  const opened = new AsyncDisposableStack();
  let found: { stage: Stage; client: MessagesClient } | undefined;
  const get = () => found ?? assert.fail("no test runs");
  before(async () => {
    const stage = opened.use(await openStage(now));
    found = { stage, client: (await stage.start()).client };
  });
  after(() => opened.disposeAsync());
  return {
    get stage() {
      return get().stage;
    },
    get client() {
      return get().client;
    },
  };
}

/** The stream keeps events as long as one of its consumers has not read them, and none does here. */
async function readStream(nats: Nats): Promise<{ subject: string; data: Uint8Array }[]> {
  const manager = await jetstreamManager(nats);
  const { state } = await manager.streams.info("WA");
  const stream = await jetstream(nats).streams.get("WA");
  const events: { subject: string; data: Uint8Array }[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq += 1) {
    const message = await stream.getMessage({ seq });
    if (message !== null) events.push({ subject: message.subject, data: message.data });
  }
  return events;
}

export async function declare(
  client: MessagesClient,
  phoneNumberId: string,
  spec: Init<typeof NumberSpecSchema> = {},
): Promise<void> {
  await client.applyAccount({ account: { wabaId, name: "account" } });
  await client.applyNumber({
    number: {
      phoneNumberId,
      wabaId,
      displayPhoneNumber: `4930${phoneNumberId}`,
      name: `number-${phoneNumberId}`,
      spec,
    },
  });
}

/** A Send of a text; ids are drawn for `now`. */
export function textTo(
  now: Date,
  phoneNumberId: string,
  rest: Init<typeof SendRequestSchema> = {},
): Init<typeof SendRequestSchema> & { messageId: string } {
  return {
    phoneNumberId,
    recipient: "4915112345678",
    content: { kind: { case: "text", value: { body: "hello" } } },
    ...rest,
    messageId: rest.messageId ?? drawId(now),
  };
}

export function drawId(now: Date): string {
  return uuidv7({ msecs: now.getTime(), random: randomBytes(16) });
}

/** Acquires and expects to be granted. */
export async function acquire(
  client: MessagesClient,
  phoneNumberId: string,
  holder = "pod-a",
  epoch = 1n,
): Promise<LeaseGranted> {
  const { result } = await client.acquire({
    phoneNumberId,
    holder,
    bootId: drawId(new Date(0)),
    epoch,
    address: "127.0.0.1:1",
  });
  if (result.case !== "granted") throw new Error(`expected a lease, got ${result.case ?? "nothing"}`);
  return result.value;
}

/** One outcome of a first attempt. */
export function outcome(
  messageId: string,
  kind: NonNullable<Init<typeof OutcomeSchema>["kind"]>,
  attempt = 1,
): Init<typeof OutcomeSchema> {
  return { messageId, attempt, kind };
}

/** A status as WhatsApp reports it, with our callback data. */
export function status(
  messageId: string,
  word: string,
  rest: Init<typeof StatusUpdateSchema> & { attempt?: number } = {},
): Init<typeof StatusUpdateSchema> {
  const { attempt = 1, ...update } = rest;
  return {
    wabaId,
    wamid: `wamid.up.${messageId}`,
    status: word,
    recipient: "4915112345678",
    callbackData: toCallbackData(messageId, attempt),
    at: timestampFromDate(new Date("2026-03-02T10:00:00Z")),
    ...update,
  };
}

/** Takes a backup of every table and counter of the ledger; answers with what puts it back. */
export async function backUp(pool: Pool): Promise<() => Promise<void>> {
  const { rows: tables } = await pool.query<{ name: string; columns: string }>({
    text: `
      select relname as name, string_agg(quote_ident(attname), ', ' order by attnum) as columns
      from pg_class join pg_attribute on attrelid = pg_class.oid
      where relnamespace = 'messages'::regnamespace and relkind in ('r', 'p') and not relispartition
        and attnum > 0 and not attisdropped and attgenerated = '' and relname not like '%migrations%'
      group by relname`,
  });
  await pool.query({ text: "drop schema if exists backup cascade" });
  await pool.query({ text: "create schema backup" });
  for (const { name, columns } of tables) {
    await pool.query({ text: `create table backup.${name} as select ${columns} from messages.${name}` });
  }
  const { rows: counters } = await pool.query<{ name: string; value: number }>({
    text: "select sequencename as name, coalesce(last_value, 1) as value from pg_sequences where schemaname = 'messages'",
  });
  return async () => {
    await pool.query({ text: `truncate ${tables.map(({ name }) => `messages.${name}`).join(", ")}` });
    // Accounts first: numbers name them.
    for (const { name, columns } of tables.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      await pool.query({
        text: `insert into messages.${name} (${columns}) overriding system value select ${columns} from backup.${name}`,
      });
    }
    for (const { name, value } of counters) {
      await pool.query({ text: "select setval($1::regclass, $2)", values: [`messages.${name}`, value] });
    }
  };
}
