// What the stores and the services count: commits, row writes by table, and calls by method.
import pg from "pg";
import { z } from "zod";
import { sleep } from "#lib/lifecycle.ts";
import type { RunFile } from "#test/system.ts";
import { scrapeAll } from "./scrape.ts";

/** Totals since the start. */
export type Counted = {
  commits: number;
  rollbacks: number;
  /** Rows inserted, updated or deleted, by table; the days of a partitioned table are one. */
  rowWrites: Record<string, number>;
  /** gRPC calls, as servers count them: each once. */
  rpcs: Record<string, number>;
};

const databaseRow = z.object({ commits: z.coerce.number(), rollbacks: z.coerce.number() });
const tableRow = z.object({ table: z.string(), writes: z.coerce.number() });
// An idle Postgres backend tells its figures within 10 s.
const statisticsMs = 11_000;

/** Call it at rest: it waits until every backend has told what it did. */
export async function readCounters(databaseUrl: string, run: RunFile): Promise<Counted> {
  await sleep(statisticsMs);
  return withClient(databaseUrl, async (client) => {
    const database = await client.query(
      `select xact_commit as commits, xact_rollback as rollbacks from pg_stat_database where datname = current_database()`,
    );
    const tables = await client.query(
      `select schemaname || '.' || relname as table, n_tup_ins + n_tup_upd + n_tup_del as writes from pg_stat_user_tables`,
    );
    return {
      ...databaseRow.parse(database.rows[0]),
      rowWrites: sumBy(z.array(tableRow).parse(tables.rows), ({ table, writes }) => [withoutDay(table), writes]),
      rpcs: await readRpcs(run),
    };
  });
}

const stateRow = z.object({ what: z.string(), count: z.coerce.number() });

/** In words: how many messages the ledger has in each state and why, and what becomes of the deliveries. */
export function describeStates(databaseUrl: string): Promise<string> {
  return withClient(databaseUrl, async (client) => {
    const { rows } = await client.query(`
      select 'messages ' || concat_ws(' ', state, nullif(reason, '')) as what, count(*) as count
      from messages.messages group by 1
      union all
      select 'news in the outbox', count(*) from messages.outbox having count(*) > 0
      union all
      select 'deliveries ' || concat_ws(' ', state, last_failure), count(*) from webhooks.deliveries group by 1
      order by 1`);
    const states = z.array(stateRow).parse(rows);
    return states.map(({ what, count }) => `${count} ${what}`).join(", ");
  });
}

async function withClient<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** A partition is named after its table and its day. */
function withoutDay(table: string): string {
  return table.replace(/_(\d{4}_?\d{2}_?\d{2}|default)$/, "");
}

async function readRpcs(run: RunFile): Promise<Record<string, number>> {
  const handled = (await scrapeAll(run)).filter(({ name }) => name === "grpc_server_handling_seconds_count");
  return sumBy(handled, ({ labels, value }) => [`${labels["service"]?.split(".").at(-1)}.${labels["method"]}`, value]);
}

function sumBy<T>(items: readonly T[], read: (item: T) => [key: string, value: number]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [key, value] of items.map(read)) sums[key] = (sums[key] ?? 0) + value;
  return sums;
}

/** What came to the second since the first; what did not change is left out. */
export function countedBetween(before: Counted, after: Counted): Counted {
  return {
    commits: after.commits - before.commits,
    rollbacks: after.rollbacks - before.rollbacks,
    rowWrites: grown(before.rowWrites, after.rowWrites),
    rpcs: grown(before.rpcs, after.rpcs),
  };
}

function grown(before: Record<string, number>, after: Record<string, number>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after)
      .map(([key, value]): [string, number] => [key, value - (before[key] ?? 0)])
      .filter(([, value]) => value > 0)
      .toSorted(([, a], [, b]) => b - a),
  );
}

export function sumOf(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, value) => sum + value, 0);
}
