import assert from "node:assert/strict";
import { test } from "node:test";
import { hashOf, hasSameHash, isWithin, stampHash } from "./apply-hash.ts";

const wish = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { one: "1" } };
const annotation = "example.com/hash";

test("the hash does not depend on the order of fields, and on everything else", () => {
  assert.equal(hashOf({ a: 1, b: [{ c: 2, d: 3 }] }), hashOf({ b: [{ d: 3, c: 2 }], a: 1 }));
  assert.notEqual(hashOf({ a: [1, 2] }), hashOf({ a: [2, 1] }));
  assert.equal(hashOf({ a: 1, b: undefined }), hashOf({ a: 1 }));
});

test("a stamped wish is known again, another is not", () => {
  const stored = { metadata: { ...stampHash(wish, annotation).metadata, uid: "1", resourceVersion: "1" } };
  assert.ok(hasSameHash(stampHash(wish, annotation), stored, annotation));
  assert.ok(!hasSameHash(stampHash({ ...wish, data: {} }, annotation), stored, annotation));
});

const cases: [sentence: string, wish: unknown, stored: unknown, expected: boolean][] = [
  ["fields of others do not count", { a: { b: 1 } }, { a: { b: 1, c: 2 }, d: 3 }, true],
  ["a changed value is drift", { a: { b: 1 } }, { a: { b: 2 } }, false],
  ["a removed field is drift", { a: { b: 1 } }, { a: {} }, false],
  ["defaults inside of list items do not count", { a: [{ b: 1 }] }, { a: [{ b: 1, c: 2 }] }, true],
  ["an item more is drift", { a: [{ b: 1 }] }, { a: [{ b: 1 }, { b: 2 }] }, false],
  ["an item less is drift", { a: [1, 2] }, { a: [1] }, false],
  ["another order is drift", { a: [1, 2] }, { a: [2, 1] }, false],
  ["a list is no object", { a: [] }, { a: {} }, false],
  ["null is a value", { a: null }, {}, false],
];
for (const [sentence, wished, stored, expected] of cases) {
  test(sentence, () => assert.equal(isWithin(wished, stored), expected));
}
