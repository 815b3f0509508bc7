// How fast the number sends, as others ask for it: read from where messages are paced, and nothing is taken by asking.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Client, createClient } from "#lib/grpc.ts";
import { UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import { until } from "#test/until.ts";
import { refused } from "./test-upstream.ts";
import { startWorld, type World } from "./test-world.ts";

let world: World;
let client: Client<typeof UpstreamService>;

before(async () => {
  world = await startWorld();
  client = createClient(UpstreamService, world.connection.address);
  await until(async () => (await fetch(`${world.connection.http}/readyz`)).status === 200);
});

after(async () => {
  await client[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

test("a number at rest has its spec's pace, and the 46th message to a user waits", async () => {
  const recipients = Array.from({ length: 46 }, () => "12025550101");
  for (let time = 0; time < 2; time += 1) {
    const { messagesPerSecond, restingReason, restingMs, pairWaitMs } = await client.getPace({ recipients });
    assert.deepEqual([messagesPerSecond, restingReason, restingMs], [world.messages.spec.messagesPerSecond, "", 0]);
    assert.deepEqual(
      pairWaitMs.map((waitMs) => waitMs > 0),
      [...Array.from({ length: 45 }, () => false), true],
    );
  }
});

test("a number whose token is refused says so, and for how long it rests", async () => {
  world.upstream.answer = () => refused(401, 190);
  world.messages.accept({ lastInboundAt: new Date() });
  world.wake();
  const resting = await until(async () => {
    const pace = await client.getPace({ recipients: [] });
    return pace.restingReason === "" ? undefined : pace;
  });
  assert.equal(resting.restingReason, "token_refused");
  assert.ok(resting.restingMs > 0 && resting.restingMs < 60_000, String(resting.restingMs));
});
