// Subscriptions as the operator meets them: applied, changed, removed, looked at.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { signStandard, verify } from "#dialects/signature.ts";
import { AccountEventSchema } from "#proto/heliograph/messages/v1/events_pb.ts";
import { EventKind, type SubscriptionSchema } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
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

let world: World;
let service: Service;

before(async () => {
  world = await createWorld();
  service = await world.start();
});

after(() => world[Symbol.asyncDispose]());

const subscribe = (name: string, more: MessageInitShape<typeof SubscriptionSchema> = {}) =>
  subscribeTo(world, service, name, more);

test("a removed subscription gets nothing more, also what waited", async () => {
  const message = newMessage();
  {
    await using gone = await subscribe("gone");
    world.receiver.answer("/gone", () => 500);
    await world.status(message, "sent");
    await until(() => gone.received().length >= 1);
  }
  world.receiver.answer("/gone", () => 200);
  const before = world.receiver.on("/gone").length;
  await assert.rejects(service.webhooks.getSubscription({ name: "gone" }), {
    code: "NOT_FOUND",
    reason: "subscription_unknown",
  });
  await using again = await subscribe("gone");
  const next = newMessage();
  await world.status(message, "delivered");
  await world.status(next, "sent");
  await until(() => again.labels().includes(`${next.wamid} sent`));
  assert.deepEqual(
    again.labels().slice(before).toSorted(),
    [`${message.wamid} delivered`, `${next.wamid} sent`].toSorted(),
  );
});

test("each subscription gets its own kinds, numbers and accounts", async () => {
  await using inboundOnly = await subscribe("inbound-only", { events: [EventKind.MESSAGES] });
  await using otherNumber = await subscribe("other-number", { phoneNumberIds: ["42"] });
  await using thisAccount = await subscribe("this-account", { wabaIds: [wabaId] });
  const message = newMessage();
  await world.status(message, "sent");
  await until(() => thisAccount.received().length === 1);
  assert.deepEqual([inboundOnly.received().length, otherNumber.received().length], [0, 0]);
  const { rows } = await world.pool.query<{ count: number }>(
    `select count(*) from webhooks.deliveries where event_id = $1`,
    [`${message.messageId}.1.sent`],
  );
  assert.equal(rows[0]?.count, 1);
});

test("a message that is no event is left out and counted, and the next one arrives", async () => {
  await using next = await subscribe("next");
  const message = newMessage();
  await world.publish(`wa.message.sent.${phoneNumberId}`, Buffer.from("nonsense"));
  await world.publish(
    `wa.account.x.${wabaId}`,
    toBinary(AccountEventSchema, create(AccountEventSchema, { eventId: "x", wabaId, valueJson: Buffer.from("{") })),
  );
  await world.status(message, "sent");
  await until(() => next.labels().includes(`${message.wamid} sent`));
  const metrics = await (await fetch(`${service.http}/metrics`)).text();
  assert.match(metrics, /webhooks_events_ignored_total\{why="malformed".*\} 2/);
  assert.match(metrics, /webhooks_attempts_total\{subscription="next",outcome="delivered".*\} 1/);
  assert.match(metrics, /webhooks_waiting\{subscription="next".*\}/);
  assert.equal((await fetch(`${service.http}/readyz`)).status, 200);
});

test("deliveries are listed page by page, newest first", async () => {
  await using paged = await subscribe("paged");
  const messages = Array.from({ length: 5 }, newMessage);
  for (const message of messages) await world.status(message, "sent");
  await until(() => paged.received().length === 5);
  const seen: string[] = [];
  for (let pageToken: string | undefined; pageToken !== "";) {
    const page = await service.webhooks.listDeliveries({
      subscription: "paged",
      pageSize: 2,
      pageToken: pageToken ?? "",
    });
    assert.ok(page.deliveries.length <= 2);
    seen.push(...page.deliveries.map(({ eventId }) => eventId));
    pageToken = page.nextPageToken;
  }
  assert.deepEqual(seen, messages.map(({ messageId }) => `${messageId}.1.sent`).toReversed());
  await assert.rejects(service.webhooks.listDeliveries({ subscription: "nobody" }), { code: "NOT_FOUND" });
  await assert.rejects(service.webhooks.replayDeliveries({ subscription: "paged" }), { code: "UNIMPLEMENTED" });
});

test("applied again under its name, a subscription is changed and keeps what waits", async () => {
  await using moved = await subscribe("moved");
  world.receiver.answer("/moved", () => 500);
  const message = newMessage();
  await world.status(message, "sent");
  await until(() => moved.received().length >= 1);
  await service.webhooks.applySubscription({
    subscription: { name: "moved", url: world.receiver.url("/new-place"), secrets: ["new key"], concurrency: 3 },
  });
  await until(() => world.receiver.on("/new-place").some(({ label }) => label === `${message.wamid} sent`));
  const [received] = world.receiver.on("/new-place");
  assert.ok(received && verify(["new key"], received.body, String(received.headers["x-hub-signature-256"])));
  const { subscriptions } = await service.webhooks.listSubscriptions({});
  const listed = subscriptions.filter(({ name }) => name === "moved");
  assert.deepEqual(
    listed.map(({ concurrency, secrets }) => ({ concurrency, secrets })),
    [{ concurrency: 3, secrets: [] }],
  );
});

test("while a secret is replaced both sign, the newest in the header that has room for one; then the newest alone", async () => {
  const later = timestampFromDate(new Date(Date.now() + 3_600_000));
  await using rotated = await subscribe("rotated", { secrets: ["new", "old"], previousSecretsEndAt: later });
  assert.equal((await rotated.status()).validSecrets, 2);
  await world.status(newMessage(), "sent");
  await until(() => rotated.received().length === 1);
  const { subscription } = await service.webhooks.getSubscription({ name: "rotated" });
  assert.deepEqual([subscription?.secrets, subscription?.previousSecretsEndAt?.seconds], [[], later.seconds]);
  const over = timestampFromDate(new Date(Date.now() - 1_000));
  const url = world.receiver.url("/rotated");
  await service.webhooks.applySubscription({
    subscription: { name: "rotated", url, secrets: ["new", "old"], previousSecretsEndAt: over },
  });
  await world.status(newMessage(), "sent");
  await until(() => rotated.received().length === 2);
  for (const [at, secrets] of [["new", "old"], ["new"]].entries()) {
    const { headers, body } = rotated.received()[at] ?? assert.fail();
    const id = String(headers["webhook-id"]);
    const timestamp = String(headers["webhook-timestamp"]);
    assert.equal(headers["webhook-signature"], signStandard(secrets, { id, timestamp }, body));
    assert.ok(verify(["new"], body, String(headers["x-hub-signature-256"])));
  }
  assert.equal((await rotated.status()).validSecrets, 1);
});

test("an endpoint that fails again and again shows its pause, how long it waits and why, in the list, too", async () => {
  await using failing = await subscribe("failing");
  world.receiver.answer("/failing", () => ({ status: 429, headers: { "retry-after": "4" } }));
  await world.status(newMessage(), "sent");
  await until(async () => (await failing.status()).pausedUntil !== undefined);
  const { subscriptions, statuses } = await service.webhooks.listSubscriptions({});
  const status = statuses[subscriptions.findIndex(({ name }) => name === "failing")];
  assert.deepEqual([status?.waiting, status?.lastFailure], [1n, "HTTP 429"]);
  assert.ok(status?.oldestWaitingAt);
  world.receiver.answer("/failing", () => 200);
  await until(async () => (await failing.status()).lastSuccessAt !== undefined);
  const after = await failing.status();
  assert.deepEqual([after.pausedUntil, after.waiting, after.dead], [undefined, 0n, 0n]);
});
