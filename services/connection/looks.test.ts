// The upstream's throughput level: known from the grant on, refreshed hourly and at news, and never exceeded.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "#test/until.ts";
import { wabaId } from "./test-peers.ts";
import { connected, refused } from "./test-upstream.ts";
import { metric, startWorld } from "./test-world.ts";

const hourMs = 60 * 60 * 1_000;

test("the rate is the spec's, but never above the level's, and follows an upgrade at its news", async () => {
  await using world = await startWorld({
    prepare: ({ upstream }) => void (upstream.look = () => connected("STANDARD")),
  });
  const { upstream, nats } = world;
  await until(() => upstream.looks === 1);
  assert.equal(await metric(world, "pace_target"), 80);
  upstream.look = () => connected("HIGH");
  await until(() => {
    nats.publish(`wa.account.phone_number_quality_update.${wabaId}`);
    return upstream.looks > 1;
  });
  await until(async () => (await metric(world, "pace_target")) === 500);
});

test("it looks again after an hour, not before, and other news is none of its business", async () => {
  await using world = await startWorld({ prepare: ({ messages }) => void (messages.renewEveryMs = 50) });
  const { messages, upstream, nats, ahead } = world;
  await until(async () => (await metric(world, "pace_target")) === 500);
  nats.publish(`wa.account.message_template_status_update.${wabaId}`);
  ahead.monotonicMs += 0.8 * hourMs;
  const renewals = messages.calls.renew;
  await until(() => messages.calls.renew >= renewals + 4);
  assert.equal(upstream.looks, 1);
  ahead.monotonicMs += 0.2 * hourMs;
  await until(() => upstream.looks === 2);
});

test("until the level can be read the number goes as fast as every number may, and it is asked again in a minute", async () => {
  await using world = await startWorld({
    prepare({ messages, upstream }) {
      messages.renewEveryMs = 50;
      upstream.look = () => refused(503, 2);
    },
  });
  const { upstream, messages, ahead, wake } = world;
  await until(() => upstream.looks === 1);
  const row = messages.accept();
  wake();
  await until(() => row.state === "done");
  assert.equal(await metric(world, "pace_target"), 80);
  upstream.look = () => connected("HIGH");
  await until(async () => {
    ahead.monotonicMs += 61_000;
    return (await metric(world, "pace_target")) === 500;
  });
});
