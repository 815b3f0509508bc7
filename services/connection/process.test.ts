// The process itself: how it ends, how a second one takes the number over, and what it writes to its log.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "#test/until.ts";
import { phoneNumberId, reported } from "./test-peers.ts";
import { spawnProcess } from "./test-process.ts";
import { startWorld } from "./test-world.ts";

test("SIGTERM drains a real process, which releases the lease and exits with 0", async () => {
  await using world = await startWorld({ prepare: ({ messages }) => void (messages.holder = "nobody yet") });
  const { messages, upstream, wake } = world;
  await using spawned = spawnProcess(world, { HOLDER: "nobody yet", LOG_LEVEL: "info" });
  await until(() => messages.term === 1n);
  const taken = upstream.answer;
  const slow = Promise.withResolvers<void>();
  upstream.answer = async (sent) => {
    await slow.promise;
    return taken(sent);
  };
  const row = messages.accept();
  wake();
  await until(() => upstream.received.length === 1);
  spawned.child.kill("SIGTERM");
  await until(() => spawned.output().includes('"state":"draining"'));
  slow.resolve();
  assert.equal(await spawned.exitCode(), 0);
  assert.match(reported(row), /^taken/);
  assert.equal(messages.holder, undefined);
});

test("a fenced real process exits with 42", async () => {
  await using world = await startWorld({ prepare: ({ messages }) => void (messages.holder = "nobody yet") });
  const { messages, wake } = world;
  await using spawned = spawnProcess(world, { HOLDER: "nobody yet" });
  await until(() => messages.term === 1n);
  messages.grantToAnother();
  wake();
  assert.equal(await spawned.exitCode(), 42);
});

test("a second process waits; with --take-over the first drains, releases and exits with 0 within two seconds", async () => {
  await using world = await startWorld({ prepare: ({ messages }) => void (messages.holder = "pod/1") });
  const { messages, upstream, nats, wake } = world;
  let fencedAt = 0;
  messages.onFence = () => {
    fencedAt ||= performance.now();
    nats.publish(`wa.fence.${phoneNumberId}`);
  };
  messages.onFree = () => nats.publish(`wa.lease.${phoneNumberId}`);
  await using first = spawnProcess(world, { HOLDER: "pod/1" });
  await until(() => messages.term === 1n);
  const taken = upstream.answer;
  const slow = Promise.withResolvers<void>();
  upstream.answer = async (sent) => {
    await slow.promise;
    return taken(sent);
  };
  const row = messages.accept();
  wake();
  await until(() => upstream.received.length === 1);
  await using standby = spawnProcess(world, { HOLDER: "pod/2" });
  const acquires = messages.calls.acquire;
  await until(() => messages.calls.acquire > acquires);
  assert.equal(messages.term, 1n);
  standby.child.kill("SIGTERM");
  assert.equal(await standby.exitCode(), 0);
  await using second = spawnProcess(world, { HOLDER: "pod/3" }, ["--take-over"]);
  await until(() => fencedAt > 0);
  slow.resolve();
  assert.equal(await first.exitCode(), 0);
  assert.match(reported(row), /^taken/);
  await until(() => messages.holder === "pod/3");
  // Without a hand-over it waits until the lease has run out, after 15 s.
  assert.ok(performance.now() - fencedAt < 10_000, `${performance.now() - fencedAt} ms`);
  const next = messages.accept();
  wake();
  await until(() => next.state === "done");
  assert.equal(second.child.exitCode, null);
});

test("at level debug each message has a line with its outcome, and no line has its text or its user", async () => {
  await using world = await startWorld({ prepare: ({ messages }) => void (messages.holder = "pod/1") });
  const { messages, wake } = world;
  const sent = messages.accept({ recipient: "15558887777" });
  const late = messages.accept({ recipient: "15558887777", expiresAt: new Date(0) });
  await using spawned = spawnProcess(world, { HOLDER: "pod/1", LOG_LEVEL: "debug" });
  wake();
  await until(() => sent.state === "done" && late.state === "done");
  await until(() => spawned.output().includes("message ended before the wire"));
  const lines = spawned.output().split("\n");
  const line = lines.find((one) => one.includes("message settled")) ?? "";
  assert.match(line, new RegExp(`"messageId":"${sent.messageId}","attempt":1,"outcome":"taken"`));
  assert.doesNotMatch(spawned.output(), /15558887777|text [12]|token one/);
});
