// npm test runs every test file, and each of them once.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const root = fileURLToPath(new URL("..", import.meta.url));
const { scripts } = z
  .object({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync(join(root, "package.json"), "utf8")));

/** A part of another one; what needs root; and what needs helm, whose first build takes a quarter of an hour. */
const apart = new Set(["test:unit", "test:cluster", "test:chart"]);
const parts = Object.keys(scripts).filter((name) => name.startsWith("test:"));

function filesOf(name: string): string[] {
  const patterns = [...(scripts[name] ?? "").matchAll(/'([^']+\.test\.ts)'/g)].map(([, pattern = ""]) => pattern);
  return globSync(patterns, { cwd: root });
}

test("each test file belongs to one script", () => {
  const all = globSync(["{services,operator,deploy,test}/**/*.test.ts"], { cwd: root });
  const run = parts.filter((name) => name !== "test:unit").flatMap(filesOf);
  const wrong = all.filter((file) => run.filter((each) => each === file).length !== 1);
  assert.deepEqual(wrong, []);
});

test("npm test runs every script", () => {
  const missing = parts.filter((name) => !apart.has(name) && !(scripts["test"] ?? "").includes(`npm run -s ${name}`));
  assert.deepEqual(missing, []);
});
