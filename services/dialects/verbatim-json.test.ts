import assert from "node:assert/strict";
import { test } from "node:test";
import { parseVerbatim, parseVerbatimBytes } from "./verbatim-json.ts";

const texts = ['{"id":987654321098765432109,"n":[1,1.10,-0,1e3]}', '"a"', '{"a":{"b":null,"c":true}}'];
for (const text of texts) {
  test(`${text} comes out as it went in`, () => assert.equal(JSON.stringify(parseVerbatim(text)), text));
}

test("ordinary numbers stay numbers", () => assert.deepEqual(parseVerbatim("[1,2.5]"), [1, 2.5]));

test("bytes that are not UTF-8 are refused", () => {
  assert.throws(() => parseVerbatimBytes(Uint8Array.of(0x22, 0xff, 0x22)), TypeError);
});
