import assert from "node:assert/strict";
import { test } from "node:test";
import { toWamid } from "#dialects/message-id.ts";
import { type Reference, referenceOf, withOurId } from "./references.ts";

const messageId = "0199a7d0-5c00-7000-8000-000000000001";
const ours = toWamid(messageId);

const cases: [sentence: string, json: string, reference: Reference | undefined, rewritten: string][] = [
  [
    "a quote",
    '{"id":"in","context":{"from":"4930101","id":"up"},"text":{"body":"yes"}}',
    { wamid: "up", from: "4930101" },
    `{"id":"in","context":{"from":"4930101","id":"${ours}"},"text":{"body":"yes"}}`,
  ],
  [
    "a reaction",
    '{"type":"reaction","reaction":{"message_id":"up","emoji":"x"}}',
    { wamid: "up", from: undefined },
    `{"type":"reaction","reaction":{"message_id":"${ours}","emoji":"x"}}`,
  ],
  ["a forwarded message quotes nothing", '{"context":{"forwarded":true}}', undefined, '{"context":{"forwarded":true}}'],
  [
    "numbers keep their text",
    '{"n":1.10,"big":12345678901234567890,"context":{"id":"up"}}',
    { wamid: "up", from: undefined },
    `{"n":1.10,"big":12345678901234567890,"context":{"id":"${ours}"}}`,
  ],
  ["a context of another shape", '{"context":"up"}', undefined, '{"context":"up"}'],
  ["what is not JSON", "{", undefined, "{"],
];
for (const [sentence, json, reference, rewritten] of cases) {
  test(sentence, () => {
    assert.deepEqual(referenceOf(Buffer.from(json)), reference);
    assert.equal(Buffer.from(withOurId(Buffer.from(json), messageId)).toString(), rewritten);
  });
}
