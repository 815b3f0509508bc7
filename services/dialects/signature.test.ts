import assert from "node:assert/strict";
import { test } from "node:test";
import { sign, verify } from "./signature.ts";

const body = Buffer.from('{"object":"whatsapp_business_account"}');

test("the signature is Meta's", () => {
  assert.equal(
    sign("key", "The quick brown fox jumps over the lazy dog"),
    "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8",
  );
});

const cases: [sentence: string, secrets: string[], header: string | undefined, expected: boolean][] = [
  ["the right secret is accepted", ["s1"], sign("s1", body), true],
  ["any of several secrets is accepted, so that they may rotate", ["s1", "s2"], sign("s2", body), true],
  ["hex may be upper case", ["s1"], `sha256=${sign("s1", body).slice(7).toUpperCase()}`, true],
  ["another secret is refused", ["s1"], sign("s2", body), false],
  ["another body is refused", ["s1"], sign("s1", "{}"), false],
  ["a missing header is refused", ["s1"], undefined, false],
  ["the old SHA-1 header is refused", ["s1"], "sha1=7de4b2f4", false],
  ["without secrets nothing is accepted", [], sign("", body), false],
];
for (const [sentence, secrets, header, expected] of cases) {
  test(sentence, () => assert.equal(verify(secrets, body, header), expected));
}
