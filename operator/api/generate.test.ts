import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { loadKinds } from "./crds.ts";
import { typeFileOf } from "./generate.ts";

for (const kind of loadKinds()) {
  test(`the type of ${kind.kind} is made from its CRD (else run: node operator/api/generate.ts)`, () => {
    const { path, text } = typeFileOf(kind);
    assert.equal(readFileSync(path, "utf8"), text);
  });
}
