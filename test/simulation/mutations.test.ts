// Each guard that is taken away must be noticed by its judge.
import assert from "node:assert/strict";
import { test } from "node:test";
import { mutations, provoke } from "./mutations.ts";

const schedules = 600;

for (const [name, mutation] of Object.entries(mutations)) {
  test(`a broken guard is noticed: ${name}`, (t) => {
    const result = provoke(mutation, schedules);
    assert.ok(result, `"${mutation.rule}" was kept in ${schedules} schedules`);
    t.diagnostic(`seed ${result.seed}`);
  });
}
