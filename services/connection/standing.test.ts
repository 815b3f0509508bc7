// Trouble with the number as a whole: it is parked, its queue stays, the messages service is told why, and it goes on by itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "#test/until.ts";
import { reported } from "./test-peers.ts";
import { connected, refused } from "./test-upstream.ts";
import { startWorld, type World } from "./test-world.ts";

const minuteMs = 60_000;

async function startRenewing(): Promise<World> {
  return startWorld({ prepare: ({ messages }) => void (messages.renewEveryMs = 50) });
}

/** Some renewals later. */
async function renewals({ messages }: World): Promise<void> {
  const before = messages.calls.renew;
  await until(() => messages.calls.renew >= before + 4);
}

test("a number that is registered elsewhere is in conflict: claims stop, nothing fails, and it is looked at ever later", async () => {
  await using world = await startRenewing();
  const { messages, upstream, ahead, wake } = world;
  upstream.answer = () => refused(400, 133_010);
  upstream.look = () => ({ status: 200, body: { id: "100200300", status: "DISCONNECTED" } });
  const row = messages.accept({ recipient: "15550000001" });
  wake();
  await until(() => messages.standing === "conflict");
  assert.equal(reported(row), "wait number_not_registered");
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
  await using world = await startWorld();
  const { messages, upstream, wake, connection } = world;
  upstream.answer = () => refused(400, 133_010);
  messages.accept();
  wake();
  await until(() => messages.standing === "conflict", { timeoutMs: 3_000 });
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
  assert.ok(rows.every(({ state }) => state === "accepted" || state === "waiting"));
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
