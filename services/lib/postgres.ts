// Postgres: a pool that survives restarts of the server, transactions, and connection failures told apart from faults of ours.
// Types: int8 becomes number (beyond 2^53 the query fails), date and numeric stay text, timestamptz becomes Date.
import pg from "pg";
import { ServiceError } from "./errors.ts";
import { faultPoint } from "./fault-points.ts";
import type { Log } from "./log.ts";
import { databaseTls } from "./postgres-tls.ts";
import type { TlsFiles } from "./tls-files.ts";

type Query = { text: string; values?: readonly unknown[]; name?: string };

export type QueryResult<Row> = {
  rows: Row[];
  rowCount: number | null;
  /** What Postgres did, in its word: INSERT, COMMIT. */
  command: string;
};

/** What store functions take: the pool, or the transaction they are part of. */
export type Queryable = {
  query<Row extends object = Record<string, unknown>>(
    query: string | Query,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>>;
};

/** One connection of the pool. Release it exactly once; `broken` destroys it instead of giving it to the next. */
export type Connection = Queryable & {
  /** Queries may be asked without waiting for the answers to those before. */
  isPipelined: boolean;
  release(broken?: boolean): void;
};

export type Pool = Queryable & AsyncDisposable & { connect(): Promise<Connection> };

type PoolOptions = {
  url: string;
  /** Most connections held at a time. */
  size: number;
  log: Log;
  /** Shown in pg_stat_activity. */
  applicationName: string;
  /** Queries of one connection go out without waiting for the answers to those before, those of a tick together. Default false. */
  pipeline?: boolean;
  /** How long a query waits for a lock. Unset: as long as the server says. */
  lockTimeoutMs?: number;
  /** How long a transaction may pause between two queries before the server ends it. Default 30 s. */
  idleInTransactionMs?: number;
  /** Unset: as the URL says. */
  tls?: TlsFiles | undefined;
};

const connectTimeoutMs = 2_000;
const statementTimeoutMs = 30_000;

/** Opens no connection yet. Every connection failure surfaces as UNAVAILABLE `database_unavailable`. */
export function createPool(options: PoolOptions): Pool {
  const { url, size, log, applicationName, pipeline = false, lockTimeoutMs, tls } = options;
  const pool = new pg.Pool({
    ...(tls === undefined ? { connectionString: url } : databaseTls(url, tls)),
    max: size,
    application_name: applicationName,
    pipeline,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: options.idleInTransactionMs ?? statementTimeoutMs,
    ...(lockTimeoutMs !== undefined && { lock_timeout: lockTimeoutMs }),
    types: { getTypeParser },
  });
  pool.on("error", (error) => log.warn({ err: error }, "idle database connection lost"));
  return {
    query: (query, values) => queryOnce(pool, pipeline, query, values),
    connect: () => checkOut(pool, pipeline),
    [Symbol.asyncDispose]: () => pool.end(),
  };
}

async function checkOut(pool: pg.Pool, pipeline: boolean): Promise<Connection> {
  const client = await pool.connect().catch((error: unknown) => {
    throw error instanceof pg.DatabaseError ? (toUnavailable(error) ?? error) : unavailable(error);
  });
  // Without a listener a connection lost between two queries would end the process; the next query reports it.
  const ignore = (): void => undefined;
  client.on("error", ignore);
  const gather = pipeline ? gatherWrites(client) : ignore;
  return {
    isPipelined: pipeline,
    query: (query, values) => {
      gather();
      return send(client, query, values);
    },
    release(broken = false) {
      client.off("error", ignore);
      client.release(broken);
    },
  };
}

async function queryOnce<Row extends object>(
  pool: pg.Pool,
  pipeline: boolean,
  query: string | Query,
  values: readonly unknown[] | undefined,
): Promise<QueryResult<Row>> {
  const connection = await checkOut(pool, pipeline);
  let broken = true;
  try {
    const result = await connection.query<Row>(query, values);
    broken = false;
    return result;
  } catch (error) {
    broken = !(error instanceof pg.DatabaseError);
    throw error;
  } finally {
    connection.release(broken);
  }
}

/** A system call for the queries of a tick, not for each: sending them cost more than making them. */
function gatherWrites({ connection: { stream } }: pg.PoolClient): () => void {
  let isGathering = false;
  return () => {
    if (isGathering) return;
    isGathering = true;
    stream.cork();
    process.nextTick(() => {
      isGathering = false;
      stream.uncork();
    });
  };
}

async function send<Row extends object>(
  client: pg.PoolClient,
  query: string | Query,
  values: readonly unknown[] | undefined,
): Promise<QueryResult<Row>> {
  try {
    const { text, values: own, name } = typeof query === "string" ? { text: query, values, name: undefined } : query;
    return await client.query<Row>({
      text,
      ...(own !== undefined && { values: [...own] }),
      ...(name !== undefined && { name }),
    });
  } catch (error) {
    throw toUnavailable(error) ?? error;
  }
}

/**
 * Runs `fn` in one transaction: commits when it resolves, rolls back when it throws. A query that failed fails the transaction,
 * even if `fn` caught its error: Postgres then answers a commit with a rollback.
 * If the connection dies during commit the outcome is unknown, so what is called this way must bear repeating.
 * Where the pool pipelines, what `fn` asks before its first answer goes out together with the begin: it must only read and lock,
 * since the server runs it also where it refuses the begin. Then `fn` gets no answer, and the connection is given up.
 * `point` names the commit for test/chaos, which ends the process before or after it.
 */
export async function transaction<T>(pool: Pool, fn: (tx: Queryable) => Promise<T>, point = "commit"): Promise<T> {
  const connection = await pool.connect();
  const begun = connection.query("begin");
  let broken = true;
  try {
    const result = await runWithin(connection, begun, fn);
    faultPoint(`${point}.before`);
    const { command } = await connection.query("commit");
    faultPoint(`${point}.after`);
    if (command !== "COMMIT")
      throw new Error(`transaction ended in ${command}: the failure of one of its queries was passed over`);
    broken = false;
    return result;
  } catch (error) {
    broken = await begun
      .then(() => connection.query("rollback"))
      .then(
        () => false,
        () => true,
      );
    throw error;
  } finally {
    connection.release(broken);
  }
}

/** Ends when `fn` has ended too: what it asked later would run in the transaction of whoever has the connection then. */
async function runWithin<T>(
  connection: Connection,
  begun: Promise<unknown>,
  fn: (tx: Queryable) => Promise<T>,
): Promise<T> {
  if (!connection.isPipelined) {
    await begun;
    return fn(connection);
  }
  let isAnswered = false;
  const note = (): void => void (isAnswered = true);
  begun.then(note, note);
  const tx: Queryable = {
    async query<Row extends object>(query: string | Query, values?: readonly unknown[]) {
      if (isAnswered) await begun;
      const [result] = await Promise.all([connection.query<Row>(query, values), begun]);
      return result;
    },
  };
  const running = (async () => fn(tx))();
  await Promise.allSettled([begun, running]);
  await begun;
  return running;
}

/** Whether the error is a unique key violation, of the named constraint if one is given. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return (
    error instanceof pg.DatabaseError &&
    error.code === "23505" &&
    (constraint === undefined || error.constraint === constraint)
  );
}

/** Whether Postgres refused the values it was given, and would again. Another failure (a deadlock, a missing table) may pass. */
export function isRefusedValue(error: unknown): boolean {
  return error instanceof pg.DatabaseError && valueStates.test(error.code ?? "");
}

// Cardinality, data, integrity, limits of a row or an index.
const valueStates = /^(21|22|23|54)/;

// Admin shutdown, crash shutdown, cannot connect now, idle session ended, class 53 (disk full, out of memory, too many connections),
// class 08 (connection exceptions), and a server that only reads: a standby that a failover has not promoted yet.
const unavailableStates = /^(57P0[1235]|53...|25006|08...)$/;
// pg reports these kinds without a code.
const unavailableMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed)/;

/**
 * An UNAVAILABLE ServiceError if the error means that Postgres cannot be reached now; undefined for every other error.
 * A network that fails has more names than a list holds: every failed system call counts, and every failure of TLS.
 */
export function toUnavailable(error: unknown): ServiceError | undefined {
  if (!(error instanceof Error) || error instanceof ServiceError) return undefined;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const isAway =
    "syscall" in error ||
    code.startsWith("ERR_SSL_") ||
    unavailableStates.test(code) ||
    unavailableMessages.test(error.message);
  return isAway ? unavailable(error) : undefined;
}

function unavailable(cause: unknown): ServiceError {
  return new ServiceError("UNAVAILABLE", "database_unavailable", "database cannot be reached", { cause });
}

const { builtins } = pg.types;
const int8Array = 1016;
const dateArray = 1182;

function getTypeParser(oid: number, format?: "text" | "binary"): (value: string) => unknown {
  switch (oid) {
    case builtins.INT8:
      return toSafeInteger;
    case builtins.DATE:
      return (value) => value;
    case int8Array:
      return (value) => parseArray(value).map(toSafeInteger);
    case dateArray:
      return parseArray;
    default:
      return format === "binary" ? pg.types.getTypeParser(oid, "binary") : pg.types.getTypeParser(oid, "text");
  }
}

function toSafeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`int8 value ${text} does not fit a number`);
  return value;
}

/** One-dimensional arrays of values that need no quotes. */
function parseArray(text: string): string[] {
  return text === "{}" ? [] : text.slice(1, -1).split(",");
}
