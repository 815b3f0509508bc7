import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import {
  ConfigError,
  databaseEnv,
  durationMs,
  natsEnv,
  peerAddress,
  processEnv,
  readEnv,
  readSecretFile,
} from "./config.ts";

const schema = z.object({ ...processEnv, ...databaseEnv, ...natsEnv, GRACE_MS: durationMs.default(500) });
const valid = { DATABASE_URL: "postgres://u:p@localhost/db", NATS_URL: "nats://localhost:4222" };

test("defaults fill what is not set, and an empty variable counts as not set", () => {
  const config = readEnv(schema, { ...valid, GRPC_PORT: "", GRACE_MS: "", UNRELATED: "x" });
  assert.deepEqual(config, {
    LISTEN_HOST: "127.0.0.1",
    GRPC_PORT: 0,
    HTTP_PORT: 0,
    LOG_LEVEL: "info",
    DATABASE_URL: "postgres://u:p@localhost/db",
    DATABASE_POOL_SIZE: 10,
    NATS_URL: "nats://localhost:4222",
    GRACE_MS: 500,
  });
});

test("a value may stand in a file, unless the file is a variable of its own", () => {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-config-"));
  try {
    const file = join(folder, "database-url");
    writeFileSync(file, `${valid.DATABASE_URL}\n`);
    const { DATABASE_URL: _, ...rest } = valid;
    assert.equal(readEnv(schema, { ...rest, DATABASE_URL_FILE: file }).DATABASE_URL, valid.DATABASE_URL);
    const other = "postgres://other/db";
    assert.equal(readEnv(schema, { ...rest, DATABASE_URL: other, DATABASE_URL_FILE: file }).DATABASE_URL, other);
    assert.throws(() => readEnv(schema, { ...rest, DATABASE_URL_FILE: `${file}.gone` }), /database-url\.gone/);
    const own = z.object({ SEED: z.string().optional(), SEED_FILE: z.string() });
    assert.deepEqual(readEnv(own, { SEED_FILE: file }), { SEED_FILE: file });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("every fault is reported at once", () => {
  assert.throws(
    () => readEnv(schema, { NATS_URL: "http://x", GRPC_PORT: "99999", LOG_LEVEL: "loud" }),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.faults.length, 4);
      assert.ok(error.faults.includes("DATABASE_URL is not set"));
      assert.match(error.message, /GRPC_PORT: .*65535/);
      return true;
    },
  );
});

test("the address of a peer is a host and a port", () => {
  const accepts = (text: string): boolean => peerAddress.safeParse(text).success;
  for (const good of ["127.0.0.1:8402", "messages.heliograph.svc:8402", "[::1]:8402"]) assert.ok(accepts(good), good);
  for (const bad of ["messages", "http://messages:1", "messages:", ":8402", "a b:1", "::1:8402", "messages:123456"])
    assert.ok(!accepts(bad), bad);
});

test("a secret file is read without surrounding white space, and must hold something", () => {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-config-"));
  try {
    writeFileSync(join(folder, "token"), " abc\n");
    writeFileSync(join(folder, "empty"), "\n");
    assert.equal(readSecretFile(join(folder, "token")), "abc");
    assert.throws(() => readSecretFile(join(folder, "empty")), /is empty/);
    assert.throws(() => readSecretFile(join(folder, "absent")), /cannot be read/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
