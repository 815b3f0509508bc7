import assert from "node:assert/strict";
import { after, test } from "node:test";
import pg from "pg";
import { createAuthority, type KeyPair, writeTlsFolder } from "#test/env/certificates.ts";
import { testLog } from "#test/env/log.ts";
import { privateDatabase } from "#test/env/postgres.ts";
import { startTlsPostgres, tlsFolder } from "#test/env/tls-stores.ts";
import { until } from "#test/until.ts";
import { createPool, type Pool } from "./postgres.ts";
import { openTls } from "./tls.ts";

type Files = KeyPair & { ca: string };

const authority = createAuthority("authority one");
const other = createAuthority("authority two");
const names = { ips: ["127.0.0.1"] };
const user = { commonName: "postgres" };
const serverFolder = tlsFolder("postgres");
writeTlsFolder(serverFolder, { ...authority.issue(names), ca: authority.ca });
const server = await startTlsPostgres(serverFolder);
after(() => server[Symbol.asyncDispose]());

function open(files: Files, url = server.url): AsyncDisposable & { pool: Pool; change(files: Files): Promise<void> } {
  const opened = new AsyncDisposableStack();
  const folder = tlsFolder("client");
  writeTlsFolder(folder, files);
  const tls = opened.use(openTls({ DATABASE_TLS_DIR: folder }, { log: testLog, lookEveryMs: 50 }));
  const pool = opened.use(createPool({ url, size: 1, log: testLog, applicationName: "test", tls: tls.database }));
  return {
    pool,
    async change(changed) {
      writeTlsFolder(folder, changed);
      await until(() => tls.database?.current().cert === changed.cert.trim());
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

const mine: Files = { ...authority.issue(user), ca: authority.ca };
const isUnavailable = { code: "UNAVAILABLE", reason: "database_unavailable" };

async function serialOf(pool: Pool): Promise<unknown> {
  const { rows } = await pool.query("select ssl, client_serial from pg_stat_ssl where pid = pg_backend_pid()");
  assert.equal(rows[0]?.["ssl"], true);
  return rows[0]?.["client_serial"];
}

for (const settings of ["", "?sslmode=disable", "?sslmode=no-verify&sslnegotiation=postgres", "?application_name=x"]) {
  test(`a client with a certificate speaks TLS, whatever the URL says of it: ${settings || "nothing"}`, async () => {
    await using client = open(mine, `${server.url}${settings}`);
    assert.ok(await serialOf(client.pool));
  });
}

test("one without a certificate is refused, and one with another authority's", async () => {
  const without = new pg.Client({ connectionString: server.url, ssl: { ca: authority.ca } });
  await assert.rejects(without.connect(), /valid client certificate/);
  await using stranger = open({ ...other.issue(user), ca: authority.ca });
  await assert.rejects(stranger.pool.query("select 1"), isUnavailable);
});

test("a server that ca.crt does not vouch for is refused, and one without TLS", async () => {
  await using careful = open({ ...mine, ca: other.ca });
  await assert.rejects(careful.pool.query("select 1"), isUnavailable);
  await using plain = await privateDatabase();
  await using client = open(mine, plain.url);
  await assert.rejects(client.pool.query("select 1"), isUnavailable);
});

test("a server whose certificate is another host's is refused, unless the URL says verify-ca", async () => {
  const url = server.url.replace("127.0.0.1", "localhost");
  await using elsewhere = open(mine, url);
  await assert.rejects(elsewhere.pool.query("select 1"), isUnavailable);
  await using anyName = open(mine, `${url}?sslmode=verify-ca`);
  assert.ok(await serialOf(anyName.pool));
  await using careful = open({ ...mine, ca: other.ca }, `${server.url}?sslmode=verify-ca`);
  await assert.rejects(careful.pool.query("select 1"), isUnavailable);
});

test("a rotation is followed at the next connection, and the one that is open goes on", async () => {
  await using client = open(mine);
  const before = await serialOf(client.pool);
  await client.change({ ...authority.issue(user), ca: `${authority.ca}\n${other.ca}` });
  assert.equal(await serialOf(client.pool), before);
  writeTlsFolder(serverFolder, { ...other.issue(names), ca: `${authority.ca}\n${other.ca}` });
  server.reload();
  await using newcomer = open({ ...other.issue(user), ca: other.ca });
  await until(() => serialOf(newcomer.pool), { timeoutMs: 30_000, message: "the server's new certificate" });
  await newcomer.pool.query("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()");
  const after = await until(() => serialOf(client.pool), { timeoutMs: 30_000, message: "a new connection" });
  assert.notEqual(after, before);
});
