// Trouble with the number as a whole: it is parked, its queue stays, the messages service is told why, and it goes on by itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "#lib/grpc.ts";
import { UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import { until } from "#test/until.ts";
import { reported, wabaId } from "./test-peers.ts";
import { connected, refused, taken } from "./test-upstream.ts";
import { startWorld, type World } from "./test-world.ts";

const minuteMs = 60_000;

async function startRenewing(): Promise<World> {
  return startWorld({ prepare: ({ messages }) => void (messages.renewEveryMs = 50) });
}

/** No regular renewal comes within a test. */
function seldomRenewing({ messages }: Pick<World, "messages">): void {
  messages.renewEveryMs = 60_000;
}

/** Some renewals later. */
async function renewals({ messages }: World): Promise<void> {
  const before = messages.calls.renew;
  await until(() => messages.calls.renew >= before + 4);
}

test("a number that another client took: claims stop, nothing fails, and it is looked at ever later", async () => {
  await using world = await startRenewing();
  const { messages, upstream, ahead, wake } = world;
  upstream.answer = () => refused(400, 133_010);
  await until(() => upstream.looks === 1);
  upstream.look = () => ({ status: 200, body: { id: "100200300", status: "DISCONNECTED" } });
  const row = messages.accept({ recipient: "15550000001" });
  wake();
  await until(() => messages.standing === "conflict");
  await until(() => reported(row) === "wait number_not_registered");
  assert.ok(row.dueAt.getTime() - Date.now() > 4.9 * minuteMs);
  const [claims, looks] = [messages.calls.claim, upstream.looks];
  const behind = messages.accept({ recipient: "15550000002" });
  wake();
  await renewals(world);
  assert.deepEqual([messages.calls.claim, upstream.looks, upstream.received.length], [claims, looks, 1]);
  behind.dueAt = row.dueAt;
  ahead.monotonicMs += 6 * minuteMs;
  await until(() => upstream.looks === looks + 1);
  ahead.monotonicMs += 9 * minuteMs;
  await renewals(world);
  assert.deepEqual([upstream.looks, messages.standing, upstream.received.length], [looks + 1, "conflict", 1]);
  upstream.look = () => connected("HIGH");
  upstream.answer = () => ({ status: 200, body: { messages: [{ id: "wamid.back" }] } });
  ahead.monotonicMs += 30 * minuteMs;
  await until(() => messages.standing === "");
  behind.dueAt = new Date();
  wake();
  await until(() => behind.state === "done");
  assert.equal(reported(behind), "taken wamid.back");
});

test("a conflict is told with a renewal of its own, which also shows whether the number is still ours", async () => {
  await using world = await startWorld({ prepare: seldomRenewing });
  const { messages, upstream, wake, connection } = world;
  await until(() => upstream.looks === 1);
  upstream.answer = () => refused(400, 133_010);
  messages.accept();
  wake();
  await until(() => messages.standing === "conflict");
  assert.equal((await fetch(`${connection.http}/readyz`)).status, 200);
});

test("a refused token parks the number and fails nothing; without a message to try, a look finds the new token good", async () => {
  await using world = await startRenewing();
  const { messages, upstream, wake, writeToken } = world;
  upstream.answer = () => refused(401, 190);
  const rows = Array.from({ length: 20 }, (_, at) => messages.accept({ recipient: `155500000${at}` }));
  wake();
  await until(() => messages.standing === "token_refused");
  await until(() => rows.some(({ state }) => state === "waiting"));
  await renewals(world);
  // Those that were on the wire with the first are reported one by one.
  await until(() => rows.every(({ state }) => state === "accepted" || state === "waiting"));
  for (const row of rows) row.state = "done";
  writeToken("token two");
  await until(() => messages.standing === "");
});

test("an upstream that is away is told, and that it is back", async () => {
  await using world = await startRenewing();
  const { messages, upstream, wake } = world;
  upstream.answer = () => refused(500, 131_057);
  const row = messages.accept();
  wake();
  await until(() => messages.standing === "upstream_away");
  row.state = "done";
  world.ahead.monotonicMs += minuteMs;
  await until(() => messages.standing === "");
});

test("a number that was never registered shows it before any message, and sends within a renewal of being registered", async () => {
  await using world = await startWorld({
    prepare({ messages, upstream }) {
      messages.renewEveryMs = 50;
      upstream.look = () => ({ status: 200, body: { id: "100200300", status: "PENDING" } });
    },
  });
  const { messages, upstream, wake, connection } = world;
  await until(() => messages.standing === "not_registered");
  const row = messages.accept();
  wake();
  await renewals(world);
  assert.deepEqual([row.state, upstream.received.length], ["accepted", 0]);
  await using client = createClient(UpstreamService, connection.address);
  upstream.answer = () => ({ status: 200, body: { success: true } });
  await client.register({ pin: "123456" });
  assert.deepEqual(
    upstream.received.map(({ method, path, body }) => [method, path, body]),
    [["POST", "/v24.0/100200300/register", { messaging_product: "whatsapp", pin: "123456" }]],
  );
  upstream.look = () => connected("HIGH");
  upstream.answer = taken;
  await until(() => row.state === "done");
  await until(() => messages.standing === "");
});

test("a number that was moved away is in conflict; a look does not outweigh messages that were just taken", async () => {
  await using world = await startRenewing();
  const { messages, upstream, ahead, wake } = world;
  const row = messages.accept();
  wake();
  await until(() => row.state === "done");
  upstream.look = () => ({ status: 200, body: { id: "100200300", status: "MIGRATED" } });
  await until(() => {
    world.nats.publish(`wa.account.phone_number_quality_update.${wabaId}`);
    return upstream.looks >= 2;
  });
  await renewals(world);
  assert.equal(messages.standing, "");
  ahead.monotonicMs += 61 * minuteMs;
  await until(() => messages.standing === "conflict");
});

test("a conflict is one to the next holder too, from its first renewal on; one message tries, and an outage changes nothing", async () => {
  await using world = await startWorld({
    prepare({ messages, upstream }) {
      messages.renewEveryMs = 50;
      messages.standing = "conflict";
      upstream.look = () => "hang";
      upstream.answer = () => "hang";
    },
  });
  const { messages, upstream, wake } = world;
  for (let at = 0; at < 20; at += 1) messages.accept({ recipient: `155500000${at}` });
  wake();
  await until(() => upstream.received.length === 1);
  await renewals(world);
  assert.deepEqual([[...messages.standings], upstream.received.length], [["conflict"], 1]);
  upstream.look = () => "cut";
  await renewals(world);
  assert.deepEqual([...messages.standings], ["conflict"]);
});

test("a holder that drains still tells of the conflict", async () => {
  await using world = await startWorld({
    prepare({ messages, upstream }) {
      messages.renewEveryMs = 50;
      messages.standing = "conflict";
      upstream.answer = () => "hang";
    },
  });
  const { messages, upstream, connection, wake } = world;
  messages.accept();
  wake();
  await until(() => upstream.received.length === 1);
  messages.handOver = true;
  await until(async () => (await fetch(`${connection.http}/readyz`)).status === 503);
  await renewals(world);
  assert.deepEqual([...messages.standings], ["conflict"]);
});

test("a number that was registered from here under any holder is in conflict when it is not any more", async () => {
  await using world = await startWorld({
    prepare({ messages, upstream }) {
      messages.renewEveryMs = 50;
      messages.wasRegistered = true;
      upstream.look = () => ({ status: 200, body: { id: "100200300", status: "DISCONNECTED" } });
    },
  });
  const { messages } = world;
  await until(() => messages.standing !== "");
  assert.deepEqual([messages.standing, messages.wasRegistered], ["conflict", true]);
});

test("that a number is registered from here is told with a renewal of its own, and that it was deregistered", async () => {
  await using world = await startWorld({ prepare: seldomRenewing });
  const { messages, upstream, connection } = world;
  await until(() => messages.wasRegistered);
  upstream.answer = () => ({ status: 200, body: { success: true } });
  messages.away.set("renew", "before");
  await using client = createClient(UpstreamService, connection.address);
  await client.deregister({});
  // The last word of a holder that could not renew any more goes with the release.
  await connection[Symbol.asyncDispose]();
  assert.equal(messages.wasRegistered, false);
});

test("where it reads connected while messages are refused, one message tries ever later, whoever looks", async () => {
  await using world = await startRenewing();
  const { messages, upstream, ahead, connection, wake } = world;
  await until(() => upstream.looks === 1);
  upstream.answer = ({ method }) =>
    method === "POST" ? refused(400, 133_010) : { status: 200, body: { id: "100200300", status: "CONNECTED" } };
  const tries = (): number => upstream.received.filter(({ method }) => method === "POST").length;
  messages.accept({ recipient: "15550000001" });
  wake();
  await until(() => messages.standing === "conflict");
  const rows = Array.from({ length: 20 }, (_, at) => messages.accept({ recipient: `1555000010${at}` }));
  await using client = createClient(UpstreamService, connection.address);
  for (const [minutes, next] of [
    [6, 10],
    [12, 20],
    [24, 40],
  ] as const) {
    const before = tries();
    assert.equal((await client.getPhoneNumber({})).status, "CONNECTED");
    wake();
    await renewals(world);
    assert.equal(tries(), before);
    ahead.monotonicMs += minutes * minuteMs;
    await until(() => tries() === before + 1);
    const restMs = (): number => Math.max(...rows.map(({ dueAt }) => dueAt.getTime() - Date.now()));
    await until(() => restMs() > (next - 0.5) * minuteMs);
    assert.ok(restMs() <= next * 1.2 * minuteMs);
    await renewals(world);
    assert.deepEqual([tries(), messages.standing], [before + 1, "conflict"]);
  }
  assert.ok(!messages.standings.has("not_registered"));
});

test("a number that is deregistered through its process rests at once", async () => {
  await using world = await startRenewing();
  const { messages, upstream, connection } = world;
  upstream.answer = () => ({ status: 200, body: { success: true } });
  await until(() => upstream.looks === 1);
  await using client = createClient(UpstreamService, connection.address);
  await client.deregister({});
  await until(() => messages.standing === "not_registered");
});

test("a number on the On-Premises API is not registered, and that it was registered from here is looked at and told at once", async () => {
  await using world = await startWorld({
    prepare({ messages, upstream }) {
      messages.renewEveryMs = 60_000;
      upstream.look = () => ({
        status: 200,
        body: { id: "100200300", status: "CONNECTED", platform_type: "ON_PREMISE" },
      });
    },
  });
  const { messages, upstream, connection } = world;
  await until(() => messages.standing === "not_registered");
  upstream.look = () => connected("HIGH");
  upstream.answer = () => ({ status: 200, body: { success: true } });
  await using client = createClient(UpstreamService, connection.address);
  await client.register({ pin: "123456" });
  await until(() => messages.standing === "" && messages.wasRegistered);
});

test("a look that began before a registration says nothing of it", async () => {
  const held = Promise.withResolvers<void>();
  const disconnected = { status: 200, body: { id: "100200300", status: "DISCONNECTED" } };
  await using world = await startWorld({
    prepare({ messages, upstream }) {
      messages.renewEveryMs = 50;
      upstream.look = () => disconnected;
    },
  });
  const { messages, upstream, connection } = world;
  await until(() => messages.standing === "not_registered");
  upstream.look = async () => {
    await held.promise;
    return disconnected;
  };
  const looks = upstream.looks;
  world.ahead.monotonicMs += 6 * minuteMs;
  await until(() => upstream.looks > looks);
  upstream.answer = () => ({ status: 200, body: { success: true } });
  await using client = createClient(UpstreamService, connection.address);
  await client.register({ pin: "123456" });
  upstream.look = () => connected("HIGH");
  held.resolve();
  await until(() => messages.standing === "" && messages.wasRegistered);
  assert.ok(!messages.standings.has("conflict"));
});
