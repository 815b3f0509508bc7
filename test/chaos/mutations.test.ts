// The judges are worth something: they see what the fence and the intent are there to prevent.
import assert from "node:assert/strict";
import { test } from "node:test";
import { mutations, provoke, ruleOf } from "./mutations.ts";

test("a connection that lost its number while it was frozen harms nothing", async () => {
  assert.deepEqual((await provoke()).violations, []);
});

for (const mutation of mutations) {
  test(`the judges notice ${mutation}`, async () => {
    const { violations } = await provoke(mutation);
    assert.ok(
      violations.some(({ rule }) => rule === ruleOf[mutation]),
      JSON.stringify(violations),
    );
  });
}
