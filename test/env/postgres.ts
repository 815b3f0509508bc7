// A database of one's own on the PostgreSQL of the test run, copied from a template that was migrated once.
import { createHash } from "node:crypto";
import { migrate, readMigrations } from "#lib/migrate.ts";
import { createPool, type Pool } from "#lib/postgres.ts";
import { nextId } from "./folder.ts";
import { testLog } from "./log.ts";

export type PrivateDatabase = AsyncDisposable & { url: string; pool: Pool };

type DatabaseOptions = {
  /** Services whose schema the database has already, as `["billing"]`; their start finds nothing to migrate. */
  services?: readonly string[];
};

/** Gone on dispose, even while something is connected. */
export async function privateDatabase({ services = [] }: DatabaseOptions = {}): Promise<PrivateDatabase> {
  const name = `test_${process.pid}_${nextId()}`;
  await using admin = openPool(serverUrl());
  const template = services.length === 0 ? "template1" : await prepareTemplate(admin, services);
  await admin.query(`create database ${name} template ${template}`);
  const url = databaseUrl(name);
  const pool = openPool(url);
  return {
    url,
    pool,
    async [Symbol.asyncDispose]() {
      await pool[Symbol.asyncDispose]();
      await using cleaner = openPool(serverUrl());
      await cleaner.query(`drop database if exists ${name} with (force)`);
    },
  };
}

function openPool(url: string): Pool {
  return createPool({ url, size: 10, log: testLog, applicationName: "test" });
}

function serverUrl(): string {
  const url = process.env["HELIOGRAPH_TEST_POSTGRES"];
  if (url === undefined) throw new Error("no PostgreSQL: run with --test-global-setup=test/env/global-setup.ts");
  return url;
}

function databaseUrl(name: string): string {
  const url = new URL(serverUrl());
  url.pathname = `/${name}`;
  return url.href;
}

/** Made by the first test file that needs it; the others wait on an advisory lock. */
async function prepareTemplate(admin: Pool, services: readonly string[]): Promise<string> {
  const name = `template_${await fingerprint(services)}`;
  const connection = await admin.connect();
  try {
    await connection.query("select pg_advisory_lock(hashtextextended($1, 0))", [name]);
    const { rows } = await connection.query("select 1 from pg_database where datname = $1", [name]);
    if (rows.length > 0) return name;
    const unfinished = `${name}_unfinished`;
    await connection.query(`drop database if exists ${unfinished} with (force)`);
    await connection.query(`create database ${unfinished}`);
    await migrateAll(databaseUrl(unfinished), services);
    await connection.query(`alter database ${unfinished} rename to ${name}`);
    return name;
  } finally {
    // Giving the connection up also gives the lock up.
    connection.release(true);
  }
}

async function migrateAll(url: string, services: readonly string[]): Promise<void> {
  await using pool = openPool(url);
  for (const schema of services) await migrate({ pool, schema, directory: migrationsOf(schema), log: testLog });
}

async function fingerprint(services: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const service of services) {
    hash.update(service);
    for (const { checksum } of await readMigrations(migrationsOf(service))) hash.update(checksum);
  }
  return hash.digest("hex").slice(0, 16);
}

function migrationsOf(service: string): URL {
  return new URL(`../../services/${service}/migrations/`, import.meta.url);
}
