import assert from "node:assert/strict";
import { test } from "node:test";
import { isMessageId } from "#dialects/message-id.ts";
import { createMessageIds } from "./message-ids.ts";

test("ids of one millisecond come in order and carry its time", () => {
  const draw = createMessageIds();
  const now = new Date("2026-03-02T12:00:00.123Z");
  const ids = Array.from({ length: 2_000 }, () => draw(now));
  assert.deepEqual(ids, [...new Set(ids)].sort());
  assert.ok(ids.every(isMessageId));
  assert.equal(Number.parseInt(ids[0]?.replace("-", "").slice(0, 12) ?? "", 16), now.getTime());
  assert.equal(ids[0]?.[14], "7");
});
