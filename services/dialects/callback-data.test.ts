import assert from "node:assert/strict";
import { test } from "node:test";
import { fromCallbackData, toCallbackData } from "./callback-data.ts";

const messageId = "01936b2e-7c4a-7d10-8f3e-1a2b3c4d5e6f";

const cases: [sentence: string, text: string, expected: ReturnType<typeof fromCallbackData>][] = [
  ["ours is recognised", toCallbackData(messageId, 12), { messageId, attempt: 12 }],
  ["an order number is not ours", "order-42", undefined],
  ["an id without an attempt is not ours", messageId, undefined],
  ["attempts begin with 1", `${messageId}.0`, undefined],
  ["a text that goes on is not ours", `${messageId}.1 and more`, undefined],
  ["an empty text is not ours", "", undefined],
  ["hyphens alone are not an id", `${"-".repeat(36)}.1`, undefined],
];
for (const [sentence, text, expected] of cases) {
  test(sentence, () => assert.deepEqual(fromCallbackData(text), expected));
}
