// Makes day partitions, and tells which days are closed for good. The one place that builds statements from names.
import type { Queryable } from "#lib/postgres.ts";
import { type Day, dayOf, firstMessageId } from "../domain/partitions.ts";

/** Makes the partitions of these days that are missing. Copies of the service wait for each other. */
export async function createPartitions(tx: Queryable, days: readonly Day[]): Promise<void> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended('heliograph.messages.partitions', 0))");
  const names = days.flatMap(({ name }) => [`messages_${name}`, `contents_${name}`, `inbound_${name}`]);
  const existing = new Set(await loadPartitions(tx, names));
  for (const day of days) {
    if (!existing.has(`messages_${day.name}`)) await createMessagesPartition(tx, day);
    if (!existing.has(`contents_${day.name}`)) await createContentsPartition(tx, day);
    if (!existing.has(`inbound_${day.name}`)) await createInboundPartition(tx, day);
  }
}

async function loadPartitions(tx: Queryable, names: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ relname: string }>(
    "select relname from pg_class where relnamespace = 'messages'::regnamespace and relname = any ($1::text[])",
    [names],
  );
  return rows.map(({ relname }) => relname);
}

// Attached rather than made as partitions: that takes no lock which running commits would have to wait for.
// The fill factor leaves room for the row's next states on its own page.
async function createMessagesPartition(tx: Queryable, { name, from, to }: Day): Promise<void> {
  await tx.query(`
    create table messages.messages_${name} (like messages.messages including all) with (fillfactor = 60);
    alter table messages.messages attach partition messages.messages_${name}
      for values from ('${firstMessageId(from)}') to ('${firstMessageId(to)}')`);
}

async function createContentsPartition(tx: Queryable, { name, from, to }: Day): Promise<void> {
  await tx.query(`
    create table messages.contents_${name} (like messages.contents including all);
    alter table messages.contents attach partition messages.contents_${name}
      for values from ('${firstMessageId(from)}') to ('${firstMessageId(to)}')`);
}

// Rows of that day that came before their partition (a clock ahead of ours) move over from the default one.
async function createInboundPartition(tx: Queryable, { name, from, to }: Day): Promise<void> {
  const range = `at >= '${from.toISOString()}' and at < '${to.toISOString()}'`;
  await tx.query(`
    create table messages.inbound_${name} (like messages.inbound including all);
    with early as (delete from messages.inbound_default where ${range} returning *)
    insert into messages.inbound_${name} select * from early;
    alter table messages.inbound attach partition messages.inbound_${name}
      for values from ('${from.toISOString()}') to ('${to.toISOString()}')`);
}

export type Kind = "messages" | "contents" | "inbound";

/** The days that have a partition, oldest first. */
export async function loadDays(db: Queryable, kind: Kind = "messages"): Promise<Day[]> {
  const { rows } = await db.query<{ relname: string }>({
    name: "load_days",
    text: `
      select relname
      from pg_class
      where relnamespace = 'messages'::regnamespace and relkind = 'r' and relname ~ ('^' || $1 || '_[0-9]{8}$')
      order by relname`,
    values: [kind],
  });
  return rows.map(({ relname }) => {
    const day = relname.slice(-8);
    return dayOf(new Date(`${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T00:00:00Z`));
  });
}

/**
 * Drops a day. It needs the whole table for a moment: when a statement in progress holds it up longer than 300 ms, behind which
 * all others would wait, it throws, and may be tried again.
 */
export async function dropPartition(tx: Queryable, kind: Kind, { name }: Day): Promise<void> {
  await tx.query(`set local lock_timeout = '300ms'; drop table if exists messages.${kind}_${name}`);
}

/** Whether a message of this day is still to be sent or resolved. By the partition's name: bounds would lead over all its rows. */
export async function hasOpenMessages(db: Queryable, { name }: Day): Promise<boolean> {
  const partition = `messages.messages_${name}`;
  const { rows: tables } = await db.query<{ exists: boolean }>("select to_regclass($1) is not null as exists", [
    partition,
  ]);
  if (tables[0]?.exists !== true) return false;
  const { rows } = await db.query<{ open: boolean }>(`
    select exists (select from ${partition} where open_state in ('accepted', 'waiting'))
      or exists (select from ${partition} where open_state in ('sending', 'unknown')) as open`);
  return rows[0]?.open ?? false;
}
