import assert from "node:assert/strict";
import { test } from "node:test";
import { deliveryUrl, reachable } from "./addresses.ts";

const usual = "http://127.0.0.1:8402";
const actual = "http://127.0.0.1:9402";
const cases: [sentence: string, declared: string, instead: string | undefined, url: string][] = [
  ["the receiver's address follows the receiver", `${usual}/webhook?a=1`, undefined, `${actual}/webhook?a=1`],
  ["--webhook stands in for the receiver", `${usual}/webhook`, "https://example.com/hook", "https://example.com/hook"],
  ["another address is left alone", "https://bot.example/in", "https://example.com/hook", "https://bot.example/in"],
  ["another port on this machine is left alone", "http://127.0.0.1:3000/in", undefined, "http://127.0.0.1:3000/in"],
];
for (const [sentence, declared, instead, url] of cases) {
  test(sentence, () => assert.equal(deliveryUrl(declared, { usual, actual, instead }), url));
}

test("what listens everywhere is reached on loopback", () => {
  assert.deepEqual(["0.0.0.0", "::", "::1", "10.1.2.3", "box"].map(reachable), [
    "127.0.0.1",
    "[::1]",
    "[::1]",
    "10.1.2.3",
    "box",
  ]);
});
