import assert from "node:assert/strict";
import { test } from "node:test";
import { fromWamid, toWamid } from "./message-id.ts";

const messageId = "01936b2e-7c4a-7d10-8f3e-1a2b3c4d5e6f";

test("an id goes to a wamid and back", () => {
  const wamid = toWamid(messageId);
  assert.match(wamid, /^wamid\.SEc[\w-]{21}$/);
  assert.equal(fromWamid(wamid), messageId);
});

test("what is no UUID becomes no wamid", () => {
  assert.throws(() => toWamid("01936B2E-7C4A-7D10-8F3E-1A2B3C4D5E6F"), TypeError);
  assert.throws(() => toWamid("7"), TypeError);
});

const foreign: [sentence: string, wamid: string][] = [
  ["WhatsApp's own wamid is not ours", "wamid.HBgLMTU1NTAwMDExMTEVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA"],
  ["the prefix is needed", toWamid(messageId).slice(6)],
  ["a missing character is noticed", toWamid(messageId).slice(0, -1)],
  ["padding is not ours", `${toWamid(messageId)}=`],
  ["another marker is not ours", "wamid.SEg" + toWamid(messageId).slice(9)],
  ["an empty text is not ours", ""],
];
for (const [sentence, wamid] of foreign) {
  test(sentence, () => assert.equal(fromWamid(wamid), undefined));
}
