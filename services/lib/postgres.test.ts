import assert from "node:assert/strict";
import { after, test } from "node:test";
import { privateDatabase } from "#test/env/postgres.ts";
import { testLog } from "#test/env/log.ts";
import { until } from "#test/until.ts";
import { createPool, isRefusedValue, isUniqueViolation, type Pool, toUnavailable, transaction } from "./postgres.ts";

const database = await privateDatabase();
after(() => database[Symbol.asyncDispose]());
const { pool } = database;
await pool.query("create table notes (id integer primary key, note text)");

test("int8 is a number, date is text, timestamptz is a Date, arrays of them too", async () => {
  const { rows } = await pool.query(`
    select 9007199254740991::bigint as big, '{1,2}'::bigint[] as bigs, date '2026-03-01' as day,
      '{2026-03-01}'::date[] as days, timestamptz '2026-03-01T00:00:00Z' as at, 1.10::numeric as price`);
  assert.deepEqual(rows[0], {
    big: 9_007_199_254_740_991,
    bigs: [1, 2],
    day: "2026-03-01",
    days: ["2026-03-01"],
    at: new Date("2026-03-01T00:00:00Z"),
    price: "1.10",
  });
  await assert.rejects(pool.query("select 9007199254740993::bigint"), /does not fit a number/);
});

test("a transaction commits what it returns from and rolls back what throws", async () => {
  const saved = await transaction(pool, async (tx) => {
    await tx.query({ name: "insert_note", text: "insert into notes values ($1, $2)", values: [1, "kept"] });
    return "kept";
  });
  assert.equal(saved, "kept");
  await assert.rejects(
    transaction(pool, async (tx) => {
      await tx.query("insert into notes values (2, 'lost')");
      throw new Error("changed my mind");
    }),
    /changed my mind/,
  );
  const { rows } = await pool.query<{ id: number }>("select id from notes");
  assert.deepEqual(rows, [{ id: 1 }]);
});

test("a transaction that passed over a failed query rejects, and the connection is as good as before", async () => {
  const passingOver = transaction(pool, async (tx) => {
    await tx.query("insert into notes values (3, 'lost')");
    await tx.query("select 1 / 0").catch(() => undefined);
  });
  await assert.rejects(passingOver, /transaction ended in ROLLBACK/);
  const { rows } = await pool.query("select from notes where id = 3");
  assert.deepEqual(rows, []);
});

test("a unique violation is told from other errors, by constraint if asked", async () => {
  const error: unknown = await transaction(pool, async (tx) => {
    await tx.query("insert into notes values (7, 'a'), (7, 'b')");
  }).catch((thrown: unknown) => thrown);
  assert.ok(isUniqueViolation(error));
  assert.ok(isUniqueViolation(error, "notes_pkey"));
  assert.ok(!isUniqueViolation(error, "other_key"));
  assert.ok(!isUniqueViolation(new Error("x")));
});

test("a connection that is cut in mid-transaction is UNAVAILABLE, destroyed, and the pool goes on", async () => {
  const cut = transaction(pool, async (tx) => {
    const { rows } = await tx.query<{ pid: number }>("select pg_backend_pid() as pid");
    await pool.query("select pg_terminate_backend($1)", [rows[0]?.pid]);
    await tx.query("select pg_sleep(1)");
  });
  await assert.rejects(cut, { code: "UNAVAILABLE", reason: "database_unavailable" });
  const { rows } = await pool.query("select 1 as one");
  assert.deepEqual(rows, [{ one: 1 }]);
});

/** A pool of one pipelined connection whose server refuses to begin. */
function refusingPool(): { pool: Pool; inner: Pool } {
  const inner = createPool({ url: database.url, size: 1, log: testLog, applicationName: "test", pipeline: true });
  const pool: Pool = {
    query: inner.query,
    async connect() {
      const connection = await inner.connect();
      return {
        ...connection,
        query: (query, values) => connection.query(query === "begin" ? "begin isolation level none" : query, values),
      };
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
  return { pool, inner };
}

test("where the begin is refused on a pipelined connection nothing is answered, and nobody inherits what is asked later", async () => {
  const { pool: refusing, inner } = refusingPool();
  await using _ = refusing;
  const { rows: before } = await inner.query<{ pid: number }>("select pg_backend_pid() as pid");
  const answers: unknown[] = [];
  let end: (() => void) | undefined;
  const busy = new Promise<void>((resolve) => void (end = resolve));
  let hasEnded = false;
  const refused = transaction(refusing, async (tx) => {
    answers.push(await tx.query("select 1").catch(() => "none"));
    await busy;
    answers.push(await tx.query("insert into notes values (8, 'stray')").catch(() => "none"));
    hasEnded = true;
  }).catch((error: unknown) => ({ error, hasEnded }));
  const next = inner.query<{ pid: number }>("select pg_backend_pid() as pid");
  await until(() => answers.length > 0);
  end?.();
  const outcome = await refused;
  assert.ok(outcome !== undefined && outcome.hasEnded && isSyntaxError(outcome.error));
  assert.deepEqual(answers, ["none", "none"]);
  assert.notEqual((await next).rows[0]?.pid, before[0]?.pid);
  assert.deepEqual((await pool.query("select from notes where id = 8")).rows, []);
});

function isSyntaxError(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "42601";
}

test("a function that throws before it returns a promise rolls back on a pipelined connection", async () => {
  await using pipelined = createPool({
    url: database.url,
    size: 1,
    log: testLog,
    applicationName: "test",
    pipeline: true,
  });
  const thrown = transaction(pipelined, () => {
    throw new Error("not even begun");
  });
  await assert.rejects(thrown, /not even begun/);
  const { rows } = await pipelined.query("select pg_current_xact_id_if_assigned() as xact");
  assert.deepEqual(rows, [{ xact: null }]);
});

test("a server that is not there is UNAVAILABLE", async () => {
  await using nowhere = createPool({
    url: "postgres://u:p@127.0.0.1:1/x",
    size: 1,
    log: testLog,
    applicationName: "test",
  });
  await assert.rejects(nowhere.query("select 1"), { code: "UNAVAILABLE", reason: "database_unavailable" });
  await assert.rejects(
    transaction(nowhere, () => Promise.resolve()),
    { code: "UNAVAILABLE" },
  );
});

const states: [sentence: string, code: string, isAway: boolean][] = [
  ["a server that is being stopped", "57P01", true],
  ["a standby before its promotion", "25006", true],
  ["a full disk", "53100", true],
  ["a statement that took too long", "57014", false],
  ["a value that does not fit", "22001", false],
];
for (const [sentence, code, isAway] of states) {
  test(`${sentence} is ${isAway ? "" : "not "}UNAVAILABLE`, () => {
    assert.equal(toUnavailable(Object.assign(new Error("x"), { code }))?.code, isAway ? "UNAVAILABLE" : undefined);
  });
}

const networks: [sentence: string, error: object, isAway: boolean][] = [
  ["a route that is gone", { code: "ENETUNREACH", syscall: "read" }, true],
  ["a record that TLS cannot read", { code: "ERR_SSL_WRONG_VERSION_NUMBER" }, true],
  ["an argument of the wrong type", { code: "ERR_INVALID_ARG_TYPE" }, false],
];
for (const [sentence, error, isAway] of networks) {
  test(`${sentence} is ${isAway ? "" : "not "}UNAVAILABLE`, () => {
    assert.equal(toUnavailable(Object.assign(new Error("x"), error))?.code, isAway ? "UNAVAILABLE" : undefined);
  });
}

test("a server that does not speak TLS to one who wants it is UNAVAILABLE", async () => {
  const url = new URL(database.url);
  url.searchParams.set("sslmode", "require");
  await using secure = createPool({ url: url.href, size: 1, log: testLog, applicationName: "test" });
  await assert.rejects(secure.query("select 1"), { code: "UNAVAILABLE", reason: "database_unavailable" });
});

test("a query that Postgres refuses keeps its connection", async () => {
  await using single = createPool({ url: database.url, size: 1, log: testLog, applicationName: "test" });
  const pid = async (): Promise<unknown> => (await single.query("select pg_backend_pid() as pid")).rows[0]?.["pid"];
  const before = await pid();
  await assert.rejects(single.query("select from absent"));
  assert.equal(await pid(), before);
});

const failures: [sentence: string, query: string, isRefused: boolean][] = [
  ["a zero byte in a text", "select chr(0)", true],
  ["a value that is no number", "select 'x'::integer", true],
  ["a table that is not there yet", "select from absent", false],
];
for (const [sentence, query, isRefused] of failures) {
  test(`${sentence} ${isRefused ? "will not" : "may"} pass later`, async () => {
    const error: unknown = await pool.query(query).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof Error);
    assert.equal(isRefusedValue(error), isRefused);
  });
}
