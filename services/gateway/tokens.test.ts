// Tokens on a real Postgres: the token file, expiry, revocation, the cache.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Queryable } from "#lib/postgres.ts";
import { privateFolder } from "#test/env/folder.ts";
import { testLog } from "#test/env/log.ts";
import { privateDatabase, type PrivateDatabase } from "#test/env/postgres.ts";
import { createTokens, followTokenFile } from "./tokens.ts";

let database: PrivateDatabase;
const now = new Date("2026-03-02T12:00:00Z");

before(async () => {
  database = await privateDatabase({ services: ["gateway"] });
});
after(() => database[Symbol.asyncDispose]());

async function insert(token: string, fields: { expiresAt?: string; revokedAt?: string } = {}): Promise<void> {
  const hash = createHash("sha256").update(token).digest();
  await database.pool.query(
    "insert into gateway.tokens (token_hash, name, created_at, expires_at, revoked_at) values ($1, 'test', $2, $3, $4)",
    [hash, now, fields.expiresAt ?? null, fields.revokedAt ?? null],
  );
}

const cases: [
  sentence: string,
  token: string,
  fields: { expiresAt?: string; revokedAt?: string },
  expected: boolean,
][] = [
  ["a token is valid", "plain", {}, true],
  ["a token that expires later is valid", "later", { expiresAt: "2026-03-02T12:00:01Z" }, true],
  ["an expired token is not", "expired", { expiresAt: "2026-03-02T12:00:00Z" }, false],
  ["a revoked token is not", "revoked", { revokedAt: "2026-03-01T00:00:00Z" }, false],
];
for (const [sentence, token, fields, expected] of cases) {
  test(sentence, async () => {
    await insert(token, fields);
    assert.equal(await createTokens({ db: database.pool, now: () => now }).isValid(token), expected);
  });
}

test("an unknown token is not valid", async () => {
  assert.equal(await createTokens({ db: database.pool, now: () => now }).isValid("unknown"), false);
});

test("Postgres is asked once in 10 s for a token, and again after a failure", async () => {
  await insert("cached");
  let asked = 0;
  let isAway = true;
  const db: Queryable = {
    query(...args) {
      asked += 1;
      return isAway ? Promise.reject(new Error("away")) : database.pool.query(...args);
    },
  };
  let passedMs = 0;
  const tokens = createTokens({ db, now: () => now, monotonicMs: () => passedMs });
  await assert.rejects(tokens.isValid("cached"), /away/);
  isAway = false;
  assert.deepEqual(await Promise.all([tokens.isValid("cached"), tokens.isValid("cached")]), [true, true]);
  assert.equal(asked, 2);
  passedMs = 10_000;
  await tokens.isValid("cached");
  assert.equal(asked, 3);
});

test("a Postgres that stands still is away after two seconds, and asked again when it is back", async () => {
  await insert("frozen");
  const tokens = createTokens({ db: database.pool, now: () => now });
  const frozen = await database.pool.connect();
  await frozen.query("begin");
  await frozen.query("lock table gateway.tokens in access exclusive mode");
  await assert.rejects(tokens.isValid("frozen"), { code: "UNAVAILABLE", reason: "database_unavailable" });
  await frozen.query("rollback");
  frozen.release();
  assert.equal(await tokens.isValid("frozen"), true);
});

test("the token file's lines are the valid tokens of the file", async () => {
  const path = join(privateFolder("tokens"), "token");
  const options = { db: database.pool, now: () => now, path, log: testLog };
  const follow = async (content: string): Promise<void> => {
    writeFileSync(path, content);
    await (await followTokenFile(options))[Symbol.asyncDispose]();
  };
  const valid = async (): Promise<boolean[]> => {
    const tokens = createTokens({ db: database.pool, now: () => now });
    return Promise.all(["one", "two", "plain"].map((token) => tokens.isValid(token)));
  };
  await follow("one\n");
  assert.deepEqual(await valid(), [true, false, true]);
  await follow("one\ntwo\n");
  assert.deepEqual(await valid(), [true, true, true]);
  await follow("two\n");
  assert.deepEqual(await valid(), [false, true, true]);
  await follow("one\n\n");
  assert.deepEqual(await valid(), [true, false, true]);
});
