// Brings a service's Postgres schema up to date with its files migrations/NNNN_verb_noun.sql: forward only, each in one
// transaction, recorded with its checksum. Several copies may start at once; one applies, the others find it done.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { ServiceError } from "./errors.ts";
import { sleep } from "./lifecycle.ts";
import type { Log } from "./log.ts";
import type { Connection, Pool, Queryable } from "./postgres.ts";

export type Migration = {
  version: number;
  name: string;
  sql: string;
  checksum: string;
  /** First line `-- no transaction`: a single statement that Postgres refuses inside one, such as a concurrent index. */
  needsNoTransaction: boolean;
  /** A line `-- breaking`: releases that do not know this migration refuse to run after it. */
  isBreaking: boolean;
};

type MigrateOptions = {
  pool: Pool;
  schema: string;
  /** The folder of the .sql files, as `new URL("./migrations/", import.meta.url)`. */
  directory: URL;
  log: Log;
};

const startingUpMs = 20_000;
const lockPollMs = 100;

/**
 * Creates the schema if needed and applies what is missing. Waits up to 20 s for a Postgres that is still starting.
 * Throws if an applied file was changed, or if the database has a breaking migration this release does not know.
 */
export async function migrate({ pool, schema, directory, log }: MigrateOptions): Promise<void> {
  const migrations = await readMigrations(directory);
  const connection = await connectPatiently(pool, log);
  let broken = true;
  try {
    await lock(connection, schema);
    await prepare(connection, schema);
    const applied = await loadApplied(connection, schema);
    checkApplied(schema, migrations, applied);
    for (const migration of migrations) {
      if (applied.some(({ version }) => version === migration.version)) continue;
      await apply(connection, schema, migration);
      log.info({ schema, migration: migration.name }, "migration applied");
    }
    await connection.query("select pg_advisory_unlock(hashtextextended($1, 0))", [lockName(schema)]);
    broken = false;
  } finally {
    // A session lock ends with its connection, so a failed run gives the connection up.
    connection.release(broken);
  }
}

/** The files of a migrations folder in order. Throws on names or versions out of line. */
export async function readMigrations(directory: URL): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(".sql")).sort();
  const migrations: Migration[] = [];
  for (const name of names) {
    const match = /^(\d{4})_[a-z0-9]+(_[a-z0-9]+)+\.sql$/.exec(name);
    if (match === null) throw new Error(`migration ${name} is not named NNNN_verb_noun.sql`);
    const version = Number(match[1]);
    if (migrations.at(-1)?.version === version) throw new Error(`migration ${name} repeats version ${version}`);
    const sql = await readFile(new URL(name, directory), "utf8");
    migrations.push({
      version,
      name: name.slice(0, -".sql".length),
      sql,
      checksum: createHash("sha256").update(sql).digest("hex"),
      needsNoTransaction: sql.startsWith("-- no transaction"),
      isBreaking: /^-- breaking\b/m.test(sql),
    });
  }
  return migrations;
}

async function connectPatiently(pool: Pool, log: Log): Promise<Connection> {
  const giveUpAt = performance.now() + startingUpMs;
  for (;;) {
    try {
      return await pool.connect();
    } catch (error) {
      const isWorthWaiting = error instanceof ServiceError && error.code === "UNAVAILABLE";
      if (!isWorthWaiting || performance.now() > giveUpAt) throw error;
      log.info("database is not ready yet");
      await sleep(250);
    }
  }
}

/** Polls, because a session blocked in the lock function would hold the snapshot that a concurrent index waits for. */
async function lock(connection: Queryable, schema: string): Promise<void> {
  for (;;) {
    const { rows } = await connection.query<{ held: boolean }>(
      "select pg_try_advisory_lock(hashtextextended($1, 0)) as held",
      [lockName(schema)],
    );
    if (rows[0]?.held === true) return;
    await sleep(lockPollMs);
  }
}

function lockName(schema: string): string {
  return `heliograph.migrate.${schema}`;
}

async function prepare(connection: Queryable, schema: string): Promise<void> {
  await connection.query(`
    create schema if not exists ${schema};
    create table if not exists ${schema}.migrations (
      version integer primary key,
      name text not null,
      checksum text not null,
      is_breaking boolean not null,
      applied_at timestamptz not null default now()
    );`);
}

type Applied = { version: number; name: string; checksum: string; is_breaking: boolean };

async function loadApplied(connection: Queryable, schema: string): Promise<Applied[]> {
  const { rows } = await connection.query<Applied>(
    `select version, name, checksum, is_breaking from ${schema}.migrations order by version`,
  );
  return rows;
}

function checkApplied(schema: string, known: readonly Migration[], applied: readonly Applied[]): void {
  for (const { version, name, checksum, is_breaking } of applied) {
    const migration = known.find((candidate) => candidate.version === version);
    if (migration === undefined && is_breaking) {
      throw new Error(
        `schema ${schema} has breaking migration ${name}, which this release does not know: run a newer one`,
      );
    }
    if (migration !== undefined && migration.checksum !== checksum) {
      throw new Error(
        `migration ${schema}/${migration.name} was changed after it was applied (as ${name}): restore the file and add a new one`,
      );
    }
  }
}

async function apply(connection: Queryable, schema: string, migration: Migration): Promise<void> {
  const record = {
    text: `insert into ${schema}.migrations (version, name, checksum, is_breaking) values ($1, $2, $3, $4)`,
    values: [migration.version, migration.name, migration.checksum, migration.isBreaking],
  };
  try {
    if (migration.needsNoTransaction) {
      await connection.query("set statement_timeout = 0");
      await connection.query(migration.sql);
      await connection.query(record);
      await connection.query("reset statement_timeout");
      return;
    }
    await connection.query("begin; set local statement_timeout = 0; set local lock_timeout = '10s'");
    await connection.query(migration.sql);
    await connection.query(record);
    await connection.query("commit");
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`migration ${schema}/${migration.name} failed: ${why}`, { cause: error });
  }
}
