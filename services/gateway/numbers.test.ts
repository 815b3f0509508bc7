import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "#lib/grpc.ts";
import { createLog } from "#lib/log.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { until } from "#test/until.ts";
import { followNumbers } from "./numbers.ts";

test("that the register cannot be reached at the start is said once, however often it is tried", async () => {
  const lines: string[] = [];
  const log = createLog({ service: "test", level: "info", destination: { write: (line) => lines.push(line) } });
  await using messages = createClient(MessagesService, "127.0.0.1:1");
  let tries = 0;
  const counted = {
    watchNumbers: (...args: Parameters<typeof messages.watchNumbers>) => {
      tries += 1;
      return messages.watchNumbers(...args);
    },
  };
  await using numbers = followNumbers({ messages: counted, log });
  await until(() => tries >= 3);
  assert.equal(lines.length, 1);
  assert.equal(JSON.parse(lines[0] ?? "").message, "numbers are not known yet, asking again");
  assert.equal(numbers.isFollowing(), false);
});
