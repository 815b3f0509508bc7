// Webhooks as its peers and its customers meet it: news in by JetStream, signed posts out, subscriptions by gRPC.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { verify } from "#dialects/signature.ts";
import {
  AccountEventSchema,
  ForeignStatusEventSchema,
  InboundEventSchema,
} from "#proto/heliograph/messages/v1/events_pb.ts";
import { DeliveryState, type SubscriptionSchema } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import { until } from "#test/until.ts";
import {
  createWorld,
  newMessage,
  phoneNumberId,
  type Service,
  subscribe as subscribeTo,
  wabaId,
  type World,
} from "./test-service.ts";

const at = timestampFromDate(new Date("2026-11-22T12:00:00Z"));
const place = { phoneNumberId, wabaId, displayPhoneNumber: "15550009999" };
let world: World;
let service: Service;

before(async () => {
  world = await createWorld();
  service = await world.start();
});

after(() => world[Symbol.asyncDispose]());

const subscribe = (name: string, more: MessageInitShape<typeof SubscriptionSchema> = {}) =>
  subscribeTo(world, service, name, more);

test("every kind of news arrives in the Cloud dialect, signed", async () => {
  await using all = await subscribe("all");
  const message = newMessage();
  await world.status(message, "delivered");
  const inbound = { ...place, eventId: "wamid.IN==.received", wamid: "wamid.IN==", from: "15550001111", at };
  const messageJson = Buffer.from(
    '{"from":"15550001111","id":"wamid.IN==","timestamp":"1","type":"text","text":{"body":"añá"}}',
  );
  await world.publish(
    `wa.inbound.received.${phoneNumberId}`,
    toBinary(
      InboundEventSchema,
      create(InboundEventSchema, { ...inbound, profileName: "Ana", type: "text", messageJson }),
    ),
  );
  const foreign = {
    ...place,
    eventId: "wamid.OTHER.read",
    wamid: "wamid.OTHER",
    status: "read",
    recipient: "15550001111",
    at,
  };
  await world.publish(
    `wa.status.passed.${phoneNumberId}`,
    toBinary(ForeignStatusEventSchema, create(ForeignStatusEventSchema, foreign)),
  );
  const field = "message_template_status_update";
  const account = {
    eventId: "a1b2",
    wabaId,
    field,
    valueJson: Buffer.from('{"message_template_id":12345678901234567890}'),
    at,
  };
  await world.publish(
    `wa.account.${field}.${wabaId}`,
    toBinary(AccountEventSchema, create(AccountEventSchema, account)),
  );

  await until(() => all.received().length === 4);
  const byId = new Map(all.received().map((received) => [received.headers["webhook-id"], received]));
  assert.deepEqual(
    new Set(byId.keys()),
    new Set([`${message.messageId}-1-delivered`, "a1b2", "wamid-IN==-received", "wamid-OTHER-read"]),
  );
  const status = byId.get(`${message.messageId}-1-delivered`);
  assert.deepEqual(JSON.parse(String(status?.body)), {
    object: "whatsapp_business_account",
    entry: [
      {
        id: wabaId,
        changes: [
          {
            field: "messages",
            value: {
              messaging_product: "whatsapp",
              metadata: { display_phone_number: "15550009999", phone_number_id: phoneNumberId },
              statuses: [
                {
                  id: message.wamid,
                  status: "delivered",
                  timestamp: "1795348800",
                  recipient_id: "15550001111",
                  biz_opaque_callback_data: "order-42",
                },
              ],
            },
          },
        ],
      },
    ],
  });
  assert.match(String(byId.get("wamid-IN==-received")?.body), /"text":\{"body":"añá"\}/);
  assert.match(String(byId.get("a1b2")?.body), /"message_template_id":12345678901234567890/);
  for (const { headers, body } of all.received()) {
    assert.ok(verify(["key of all"], body, String(headers["x-hub-signature-256"])));
    assert.equal(headers["content-type"], "application/json");
    assert.equal(headers["user-agent"], "heliograph/dev");
    assert.equal(headers["heliograph-attempt"], "1");
  }
});

test("an event that comes again is delivered once", async () => {
  await using once = await subscribe("once");
  const [first, second] = [newMessage(), newMessage()];
  await world.status(first, "sent");
  await world.status(first, "sent");
  await until(() => once.received().length === 1);
  await world.status(first, "sent");
  await world.status(second, "sent");
  await until(() => once.labels().includes(`${second.wamid} sent`));
  assert.equal(once.received().length, 2);
});

test("a failed attempt is repeated, the same but for its number, and holds back what follows of its message only", async () => {
  await using bumpy = await subscribe("bumpy");
  const [message, other] = [newMessage(), newMessage()];
  const triesOf = () => bumpy.received().filter(({ label }) => label === `${message.wamid} sent`);
  // Until the other one has passed it, and three times at least.
  const fails = (): boolean => triesOf().length <= 3 || !bumpy.labels().includes(`${other.wamid} sent`);
  world.receiver.answer("/bumpy", ({ label }) => (label === `${message.wamid} sent` && fails() ? 500 : 200));
  for (const verb of ["sent", "delivered", "read"]) await world.status(message, verb);
  await world.status(other, "sent");
  await until(() => bumpy.labels().includes(`${message.wamid} read`));
  const tries = triesOf();
  assert.deepEqual(
    bumpy.labels().filter((label) => label.startsWith(message.wamid)),
    [...tries.map(() => "sent"), "delivered", "read"].map((verb) => `${message.wamid} ${verb}`),
  );
  const attempts = tries.map((_, index) => index + 1);
  assert.deepEqual(
    tries.map(({ headers }) => headers["heliograph-attempt"]),
    attempts.map(String),
  );
  assert.equal(new Set(tries.map(({ headers }) => headers["webhook-id"])).size, 1);
  assert.equal(new Set(tries.map(({ body }) => body.toString("hex"))).size, 1);

  const status = await until(async () => {
    const found = await bumpy.status();
    return found.waiting === 0n && found.lastSuccessAt && found;
  });
  assert.equal(status.lastFailure, "HTTP 500");
  assert.ok(status.lastFailureAt && !status.oldestWaitingAt);
  const { deliveries } = await service.webhooks.listDeliveries({
    subscription: "bumpy",
    state: DeliveryState.DELIVERED,
  });
  assert.deepEqual(
    deliveries.map((delivery) => delivery.attempts).toSorted((a, b) => a - b),
    [1, 1, 1, tries.length],
  );
  const { rows } = await world.pool.query<{ attempt: number; status: number }>(
    "select attempt, status from webhooks.failed_attempts order by attempt",
  );
  assert.deepEqual(
    rows,
    attempts.slice(0, -1).map((attempt) => ({ attempt, status: 500 })),
  );
});

test("an endpoint that hangs delays nobody else", async () => {
  await using stuck = await subscribe("stuck", { timeoutMs: 60_000, concurrency: 2 });
  await using well = await subscribe("well");
  world.receiver.answer("/stuck", () => "hang");
  for (let count = 0; count < 50; count += 1) await world.status(newMessage(), "sent");
  await until(() => well.received().length === 50);
  assert.equal(stuck.received().length, 2);
  assert.equal((await stuck.status()).waiting, 50n);
  world.receiver.answer("/stuck", () => 200);
  world.receiver.release(200);
  await until(() => stuck.received().length === 50);
});

test("an endpoint that keeps failing is left alone, then gets everything", async () => {
  await using down = await subscribe("down");
  world.receiver.answer("/down", () => 500);
  const messages = Array.from({ length: 60 }, newMessage);
  for (const message of messages) await world.status(message, "sent");
  await until(async () => (await down.status()).waiting === 60n);
  await until(() => down.received().length >= 10);
  assert.ok(down.received().length < 60);
  world.receiver.answer("/down", () => 200);
  // The pause has doubled for as long as the endpoint failed, which is long on a busy machine.
  await until(async () => (await down.status()).waiting === 0n, { timeoutMs: 60_000 });
  const delivered = new Set(down.labels());
  assert.ok(messages.every(({ wamid }) => delivered.has(`${wamid} sent`)));
});

test("what is given up is dead, and what follows it goes", async () => {
  await using brief = await subscribe("brief", { keepTryingSeconds: 1 });
  const message = newMessage();
  world.receiver.answer("/brief", ({ label }) => (label.endsWith("sent") ? 500 : 200));
  await world.status(message, "sent");
  await world.status(message, "delivered");
  await until(() => brief.labels().includes(`${message.wamid} delivered`));
  const status = await until(async () => {
    const found = await brief.status();
    return found.waiting === 0n && found;
  });
  assert.equal(status.dead, 1n);
  const { deliveries } = await service.webhooks.listDeliveries({ subscription: "brief", state: DeliveryState.DEAD });
  assert.deepEqual(
    deliveries.map(({ eventId, lastFailure }) => [eventId, lastFailure]),
    [[`${message.messageId}.1.sent`, "HTTP 500"]],
  );
});

test("a thousand events at once all arrive, once each", async () => {
  await using many = await subscribe("many");
  const messages = Array.from({ length: 1_000 }, newMessage);
  await Promise.all(messages.map((message) => world.status(message, "sent")));
  await until(() => many.received().length >= 1_000);
  assert.equal(new Set(many.labels()).size, 1_000);
  await until(async () => (await many.status()).waiting === 0n);
  assert.equal(many.received().length, 1_000);
});

test("what answers nothing in time, or sends elsewhere, or asks for patience, has not got it", async () => {
  await using slow = await subscribe("slow", { timeoutMs: 100 });
  await using elsewhere = await subscribe("elsewhere");
  world.receiver.answer("/slow", () => "hang");
  world.receiver.answer("/elsewhere", () => ({ status: 302, headers: { location: "/well" } }));
  await world.status(newMessage(), "sent");
  await until(async () => (await slow.status()).lastFailure === "no answer within 100 ms");
  await until(async () => (await elsewhere.status()).lastFailure === "HTTP 302");
  world.receiver.answer("/elsewhere", () => ({ status: 204, headers: {} }));
  await until(async () => (await elsewhere.status()).waiting === 0n);
});
