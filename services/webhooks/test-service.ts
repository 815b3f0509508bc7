// What the tests of webhooks share: the service on its own Postgres and NATS, and the news of messages that do not exist.
import { randomUUID } from "node:crypto";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { type Client, createClient } from "#lib/grpc.ts";
import { connectNats, ensureStream } from "#lib/nats.ts";
import type { Pool } from "#lib/postgres.ts";
import { toWamid } from "#dialects/message-id.ts";
import { MessageEventSchema } from "#proto/heliograph/messages/v1/events_pb.ts";
import {
  type SubscriptionSchema,
  type SubscriptionStatus,
  WebhooksService,
} from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import { testLog } from "#test/env/log.ts";
import { privateNats } from "#test/env/nats.ts";
import { privateDatabase } from "#test/env/postgres.ts";
import { readConfig } from "./config.ts";
import { startWebhooks } from "./start.ts";
import { type Received, type Receiver, startReceiver } from "./test-receiver.ts";

export const phoneNumberId = "106500000000001";
export const wabaId = "900000000000001";

/** A message, and its news in order. */
export type Message = { messageId: string; wamid: string };

export function newMessage(): Message {
  const messageId = randomUUID();
  return { messageId, wamid: toWamid(messageId) };
}

export type World = AsyncDisposable & {
  env: Record<string, string>;
  pool: Pool;
  receiver: Receiver;
  publish(subject: string, payload: Uint8Array): Promise<void>;
  /** Publishes the status of a message; the same one again has the same event id. */
  status(message: Message, verb: string): Promise<void>;
  /** What was published and not handled yet comes to nobody any more. */
  forgetNews(): Promise<void>;
  /** A copy of the service; disposed with the world at the latest. */
  start(): Promise<Service>;
};

export type Service = AsyncDisposable & { webhooks: Client<typeof WebhooksService>; http: string };

/** Postgres, NATS with the stream, and a receiver; no service yet. Retries begin at 50 ms, claims end 1 s after their deadline. */
export async function createWorld(): Promise<World> {
  const opened = new AsyncDisposableStack();
  const database = opened.use(await privateDatabase({ services: ["webhooks"] }));
  const { url } = opened.use(await privateNats());
  const nats = opened.use(await connectNats({ url, name: "test", log: testLog }));
  const filterSubjects = ["wa.message.>", "wa.inbound.>", "wa.status.>", "wa.account.>"];
  const consumers = [{ durable: "webhooks", filterSubjects }];
  await ensureStream(nats, { name: "WA", subjects: ["wa.>"], replicas: 1, consumers });
  const receiver = opened.use(await startReceiver());
  const env = {
    DATABASE_URL: database.url,
    NATS_URL: url,
    LOG_LEVEL: testLog.level,
    RETRY_BASE_MS: "50",
    LEASE_SLACK_MS: "1000",
    SEARCH_INTERVAL_MS: "300",
  };
  const js = jetstream(nats);
  const publish = async (subject: string, payload: Uint8Array): Promise<void> => {
    await js.publish(subject, payload);
  };
  return {
    env,
    pool: database.pool,
    receiver,
    publish,
    status: ({ messageId }, verb) => publish(`wa.message.${verb}.${phoneNumberId}`, statusEvent(messageId, verb)),
    async forgetNews() {
      await (await jetstreamManager(nats)).streams.purge("WA");
    },
    start: async () => opened.use(await startService(env)),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

type Subscribed = AsyncDisposable & {
  received(): Received[];
  labels(): string[];
  status(): Promise<SubscriptionStatus>;
};

/** A subscription of this name, at this path of the receiver, until it is disposed. */
export async function subscribe(
  { receiver }: World,
  { webhooks }: Service,
  name: string,
  more: MessageInitShape<typeof SubscriptionSchema> = {},
): Promise<Subscribed> {
  await webhooks.applySubscription({
    subscription: { name, url: receiver.url(`/${name}`), secrets: [`key of ${name}`], ...more },
  });
  return {
    received: () => receiver.on(`/${name}`),
    labels: () => receiver.on(`/${name}`).map(({ label }) => label),
    async status() {
      const { status } = await webhooks.getSubscription({ name });
      if (status === undefined) throw new Error(`subscription ${name} has no status`);
      return status;
    },
    [Symbol.asyncDispose]: async () => void (await webhooks.removeSubscription({ name })),
  };
}

async function startService(env: Record<string, string>): Promise<Service> {
  const opened = new AsyncDisposableStack();
  const { address, http } = opened.use(await startWebhooks({ config: readConfig(env), now: () => new Date() }));
  const webhooks = opened.use(createClient(WebhooksService, address));
  return { webhooks, http, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

function statusEvent(messageId: string, verb: string): Uint8Array {
  return toBinary(
    MessageEventSchema,
    create(MessageEventSchema, {
      eventId: `${messageId}.1.${verb}`,
      verb,
      messageId,
      attempt: 1,
      phoneNumberId,
      wabaId,
      displayPhoneNumber: "15550009999",
      recipient: "15550001111",
      at: timestampFromDate(new Date("2026-11-22T12:00:00Z")),
      clientCallbackData: "order-42",
    }),
  );
}
