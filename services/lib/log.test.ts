import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceError } from "./errors.ts";
import { createLog, maskPhone } from "./log.ts";

function capture(): { lines: string[]; log: ReturnType<typeof createLog> } {
  const lines: string[] = [];
  const log = createLog({ service: "demo", level: "info", destination: { write: (line) => lines.push(line) } });
  return { lines, log };
}

test("a line is JSON with service, level name, time and message", () => {
  const { lines, log } = capture();
  log.info({ rows: 3n, bytes: new Uint8Array(4) }, "done");
  const line = JSON.parse(lines[0] ?? "");
  assert.equal(line.service, "demo");
  assert.equal(line.level, "info");
  assert.equal(line.message, "done");
  assert.equal(line.rows, "3");
  assert.equal(line.bytes, "[4 bytes]");
  assert.match(line.time, /^\d{4}-\d\d-\d\dT/);
});

test("secrets and content are removed wherever they stand, also in child bindings", () => {
  const { lines, log } = capture();
  log
    .child({ access_token: "s3cret" })
    .info({ request: [{ headers: { Authorization: "s3cret" }, text: { body: "s3cret" } }] }, "x");
  assert.doesNotMatch(lines[0] ?? "", /s3cret/);
});

test("an error keeps its code, reason and causes but not the values a library hung on it", () => {
  const { lines, log } = capture();
  const cause = Object.assign(new Error("duplicate key"), { code: "23505", detail: "Key (to)=(4915112345678)" });
  log.error({ err: new ServiceError("INTERNAL", "internal", "failed", { cause }) }, "x");
  const { err } = JSON.parse(lines[0] ?? "");
  assert.equal(err.reason, "internal");
  assert.equal(err.cause.code, "23505");
  assert.doesNotMatch(lines[0] ?? "", /4915112345678/);
});

test("a phone number is shown by its first and last two digits", () => {
  assert.equal(maskPhone("49151123477"), "49*******77");
  assert.equal(maskPhone("1234"), "****");
});
