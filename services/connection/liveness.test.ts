// /healthz: a loop that is stuck is what only a restart mends; peers that are away are not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "#test/until.ts";
import { phoneNumberId } from "./test-peers.ts";
import { startWorld, type World } from "./test-world.ts";

type Health = { alive: boolean; checks: Record<string, boolean> };

async function health({ connection }: World): Promise<Health> {
  return (await fetch(`${connection.http}/healthz`)).json() as Promise<Health>;
}

test("renewals that no longer come make the process unhealthy, until they come again", async () => {
  // None comes by itself within the test, so the jump is not made good before it is looked at.
  await using world = await startWorld({ prepare: ({ messages }) => void (messages.renewEveryMs = 60_000) });
  await until(() => world.messages.wasRegistered);
  assert.equal((await fetch(`${world.connection.http}/healthz`)).status, 200);
  world.ahead.monotonicMs += 200_000;
  assert.deepEqual(await health(world), { alive: false, checks: { session: true, renew: false, send: true } });
  // Its own connection to NATS may come later than its lease.
  await until(async () => {
    world.nats.publish(`wa.fence.${phoneNumberId}`);
    return (await health(world)).alive;
  });
});

test("a message that stays on the wire beyond its time makes it unhealthy", async () => {
  await using world = await startWorld({
    env: { DRAIN_MS: "100" },
    prepare: ({ messages }) => void (messages.renewEveryMs = 50),
  });
  const { upstream, messages, ahead, wake } = world;
  upstream.answer = () => "hang";
  messages.accept();
  wake();
  await until(() => upstream.received.length === 1);
  ahead.monotonicMs += 60_000;
  await until(async () => {
    const { checks } = await health(world);
    return checks["renew"] === true && checks["send"] === false;
  });
});

test("a process whose messages service is away is healthy", async () => {
  await using world = await startWorld({ prepare: ({ messages }) => void (messages.renewEveryMs = 50) });
  const { messages, ahead, wake } = world;
  await until(() => messages.calls.renew >= 1);
  for (const rpc of ["renew", "claim"] as const) messages.away.set(rpc, "before");
  messages.accept();
  wake();
  for (let rounds = 0; rounds < 6; rounds += 1) {
    ahead.monotonicMs += 10_000;
    const renewals = messages.calls.renew;
    await until(() => messages.calls.renew >= renewals + 2);
    assert.deepEqual(await health(world), { alive: true, checks: { session: true, renew: true, send: true } });
  }
});

test("a process that waits for the lease is healthy, and so is one that cannot ask for it", async () => {
  await using world = await startWorld();
  const { messages } = world;
  await until(() => messages.term === 1n);
  const standby = await world.startAnother({ HOLDER: "test/2" });
  await until(() => messages.calls.acquire >= 2);
  assert.equal((await fetch(`${standby.http}/healthz`)).status, 200);
  messages.away.set("acquire", "before");
  const another = await world.startAnother({ HOLDER: "test/3" });
  await until(() => messages.calls.acquire >= 4);
  assert.equal((await fetch(`${another.http}/healthz`)).status, 200);
});
