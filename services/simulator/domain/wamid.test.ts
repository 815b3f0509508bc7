import assert from "node:assert/strict";
import { test } from "node:test";
import { fromWamid, toWamid, type Wamid } from "./wamid.ts";

const cases: [sentence: string, parts: Wamid][] = [
  ["an outbound id goes both ways", { user: "15550100999", inbound: false, bootMs: 1_795_000_000_000, seq: 0 }],
  ["an inbound id goes both ways", { user: "4915550100", inbound: true, bootMs: 1_795_000_000_000, seq: 123_456_789 }],
];
for (const [sentence, parts] of cases) {
  test(sentence, () => assert.deepEqual(fromWamid(toWamid(parts)), parts));
}

test("an id looks like Meta's", () => {
  assert.match(
    toWamid({ user: "15550100999", inbound: false, bootMs: 1, seq: 2 }),
    /^wamid\.HBgL[A-Za-z0-9+/]+={0,2}$/,
  );
});

const foreign: [sentence: string, text: string][] = [
  ["an id of Heliograph's is not one", "wamid.SEcBkHr7AAAAAAAAAAAAAAAAAAA"],
  ["any text is not one", "hello"],
  ["an empty id is not one", "wamid."],
];
for (const [sentence, text] of foreign) {
  test(sentence, () => assert.equal(fromWamid(text), undefined));
}
