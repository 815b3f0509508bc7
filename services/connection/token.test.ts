import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ConfigError } from "#lib/config.ts";
import { testLog } from "#test/env/log.ts";
import { watchToken } from "./token.ts";

function folder() {
  const path = mkdtempSync(join(tmpdir(), "heliograph-token-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test("a changed file is read again, at most once in a second", () => {
  using dir = folder();
  const path = join(dir.path, "token");
  writeFileSync(path, "one\n");
  let nowMs = 0;
  const token = watchToken({ path, nowMs: () => nowMs, log: testLog });
  writeFileSync(path, "another\n");
  assert.equal(token.current(), "one");
  nowMs = 1_000;
  assert.equal(token.current(), "another");
});

test("a mounted secret changes by its symbolic link", () => {
  using dir = folder();
  for (const name of ["one", "two"]) writeFileSync(join(dir.path, name), name);
  const path = join(dir.path, "token");
  symlinkSync("one", path);
  let nowMs = 0;
  const token = watchToken({ path, nowMs: () => nowMs, log: testLog });
  symlinkSync("two", join(dir.path, "next"));
  renameSync(join(dir.path, "next"), path);
  nowMs = 1_000;
  assert.equal(token.current(), "two");
});

test("while the file is gone or empty the last token stays in use", () => {
  using dir = folder();
  const path = join(dir.path, "token");
  writeFileSync(path, "one");
  let nowMs = 0;
  const token = watchToken({ path, nowMs: () => nowMs, log: testLog });
  unlinkSync(path);
  nowMs = 1_000;
  assert.equal(token.current(), "one");
  writeFileSync(path, "");
  nowMs = 2_000;
  assert.equal(token.current(), "one");
  writeFileSync(path, "two");
  nowMs = 3_000;
  assert.equal(token.current(), "two");
});

test("without a token the process does not start", () => {
  using dir = folder();
  assert.throws(() => watchToken({ path: join(dir.path, "token"), nowMs: () => 0, log: testLog }), ConfigError);
});
