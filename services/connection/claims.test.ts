// When a connection asks the ledger for messages.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ClaimResponseSchema } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { testLog } from "#test/env/log.ts";
import { until } from "#test/until.ts";
import { Claims } from "./claims.ts";

test("a clock that is a day ahead of the ledger's does not make it ask all the time for what is due there in a while", async () => {
  const claimedAt: number[] = [];
  const claims = new Claims({
    claim: async () => {
      claimedAt.push(performance.now());
      return create(ClaimResponseSchema, { nextDueAt: timestampFromDate(new Date(Date.now() + 60_000)) });
    },
    room: () => ({ reply: 100, bulk: 100 }),
    window: () => 100,
    mayClaim: () => true,
    onClaimed: (messages) => messages,
    onFenced: () => assert.fail(),
    now: () => new Date(Date.now() + 86_400_000),
    nowMs: () => performance.now(),
    log: testLog,
  });
  claims.wake();
  await until(() => claimedAt.length >= 2);
  await claims.stop();
  const [first = 0, second = 0] = claimedAt;
  assert.ok(second - first > 900, `asked again after ${second - first} ms`);
});
