// The lease: who may send, and how a process ends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "#test/until.ts";
import { phoneNumberId, reported } from "./test-peers.ts";
import { metric, startWorld } from "./test-world.ts";

test("an older term ends the process with 42, and nothing is sent under it", async () => {
  await using world = await startWorld();
  const { messages, upstream, connection, wake } = world;
  await until(() => messages.term === 1n);
  messages.grantToAnother();
  messages.accept();
  wake();
  assert.equal(await connection.done, 42);
  assert.equal(upstream.received.length, 0);
  assert.equal(messages.calls.release, 0);
});

test("the last receipt of a fenced holder still counts", async () => {
  await using world = await startWorld();
  const { messages, upstream, connection, wake } = world;
  const taken = upstream.answer;
  const slow = Promise.withResolvers<void>();
  upstream.answer = async (sent) => {
    await slow.promise;
    return taken(sent);
  };
  const row = messages.accept();
  wake();
  await until(() => upstream.received.length === 1);
  messages.grantToAnother();
  messages.accept({ recipient: "15550000002" });
  wake();
  await until(async () => (await fetch(`${connection.http}/readyz`)).status === 503);
  slow.resolve();
  assert.equal(await connection.done, 42);
  assert.match(reported(row), /^taken/);
  assert.equal(upstream.received.length, 1);
});

test("without a good renewal it stops sending in time, and goes on after the next one", async () => {
  const prepare: NonNullable<Parameters<typeof startWorld>[0]>["prepare"] = ({ messages }) => {
    messages.renewEveryMs = 100;
    messages.stopAfterMs = 400;
  };
  await using world = await startWorld({ prepare });
  const { messages, upstream, wake } = world;
  await until(() => messages.calls.renew >= 1);
  messages.away.set("renew", "before");
  await until(async () => (await metric(world, "lease_remaining_seconds")) === 0);
  const row = messages.accept();
  const claims = messages.calls.claim;
  wake();
  const renewals = messages.calls.renew;
  await until(() => messages.calls.renew > renewals + 2);
  assert.equal(messages.calls.claim, claims);
  assert.equal(upstream.received.length, 0);
  messages.away.clear();
  await until(() => row.state === "done");
});

test("a machine that slept sends nothing on waking: a begun message is handed back", async () => {
  await using world = await startWorld();
  const { messages, upstream, ahead, wake } = world;
  await until(() => messages.term === 1n);
  messages.away.set("renew", "before");
  messages.onBegin = () => {
    ahead.wallMs += 20_000;
  };
  const row = messages.accept();
  wake();
  await until(() => row.outcomes.length > 0);
  assert.equal(reported(row), "wait not_on_wire");
  assert.equal(upstream.received.length, 0);
});

test("asked to hand over it drains, reports, releases and ends with 0", async () => {
  await using world = await startWorld();
  const { messages, upstream, connection, nats, wake } = world;
  const taken = upstream.answer;
  const slow = Promise.withResolvers<void>();
  upstream.answer = async (sent) => {
    await slow.promise;
    return taken(sent);
  };
  const row = messages.accept();
  const behind = messages.accept();
  wake();
  await until(() => upstream.received.length === 1);
  messages.handOver = true;
  nats.publish(`wa.fence.${phoneNumberId}`);
  await until(async () => (await fetch(`${connection.http}/readyz`)).status === 503);
  slow.resolve();
  assert.equal(await connection.done, 0);
  assert.match(reported(row), /^taken/);
  assert.equal(behind.state, "accepted");
  assert.equal(messages.holder, undefined);
});

test("a hint to hand over that the messages service knows nothing of changes nothing", async () => {
  await using world = await startWorld();
  const { messages, nats, wake } = world;
  await until(() => messages.term === 1n);
  await until(() => {
    nats.publish(`wa.fence.${phoneNumberId}`);
    return messages.calls.renew >= 1;
  });
  const row = messages.accept();
  wake();
  await until(() => row.state === "done");
});

test("what never answers is cut at the end of the drain and reported as unknown", async () => {
  await using world = await startWorld({ env: { DRAIN_MS: "200" } });
  const { messages, upstream, connection, wake } = world;
  upstream.answer = () => "hang";
  const row = messages.accept();
  wake();
  await until(() => upstream.received.length === 1);
  await connection[Symbol.asyncDispose]();
  assert.equal(reported(row), "unknown connection_cut");
  assert.equal(messages.holder, undefined);
});

test("a second process waits, and has the number as soon as it is free", async () => {
  await using world = await startWorld();
  const { messages, connection, nats } = world;
  await until(() => messages.term === 1n);
  const second = await world.startAnother({ HOLDER: "test/2" });
  await until(() => messages.calls.acquire >= 2);
  assert.equal((await fetch(`${second.http}/readyz`)).status, 503);
  await connection[Symbol.asyncDispose]();
  nats.publish(`wa.lease.${phoneNumberId}`);
  const row = messages.accept();
  await until(() => row.state === "done");
  assert.equal(messages.holder, "test/2");
});

test("without NATS it still sends", async () => {
  await using world = await startWorld({
    env: { NATS_URL: "nats://127.0.0.1:1" },
    prepare: ({ messages }) => void (messages.renewEveryMs = 100),
  });
  await until(() => world.messages.term === 1n);
  const row = world.messages.accept();
  await until(() => row.state === "done");
});

test("without the messages service it waits, and begins when that is there", async () => {
  await using world = await startWorld({ prepare: ({ messages }) => void messages.away.set("acquire", "before") });
  const { messages } = world;
  await until(() => messages.calls.acquire >= 2);
  const row = messages.accept();
  messages.away.clear();
  await until(() => row.state === "done");
});
