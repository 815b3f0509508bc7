import assert from "node:assert/strict";
import { test } from "node:test";
import { sign, verify, signStandard } from "./signature.ts";

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

test("the signature of Standard Webhooks is that of its reference libraries, one for each secret", () => {
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const message = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: "1614265330" };
  const body = Buffer.from('{"test": 2432232314}');
  const known = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
  assert.equal(signStandard([secret], message, body), known);
  const both = signStandard([secret, "plain text"], message, body).split(" ");
  assert.deepEqual([both.length, both[0]], [2, known]);
  assert.notEqual(both[1], known);
});
