// Makes day partitions, and tells which days are closed for good. The one place that builds statements from names.
import type { Queryable } from "#lib/postgres.ts";
import { type Day, dayOf, firstMessageId } from "../domain/partitions.ts";

/** Makes the partitions of these days that are missing. Copies of the service wait for each other. */
export async function createPartitions(tx: Queryable, days: readonly Day[]): Promise<void> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended('heliograph.messages.partitions', 0))");
  const names = days.flatMap(({ name }) => [`messages_${name}`, `inbound_${name}`]);
  const existing = new Set(await loadPartitions(tx, names));
  for (const day of days) {
    if (!existing.has(`messages_${day.name}`)) await createMessagesPartition(tx, day);
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

/** The first day that has a partition; undefined if there is none. */
export async function loadFirstDay(db: Queryable): Promise<Day | undefined> {
  const { rows } = await db.query<{ day: string | null }>(`
    select min(substr(relname, 10)) as day
    from pg_class
    where relnamespace = 'messages'::regnamespace and relkind = 'r' and relname ~ '^messages_[0-9]{8}$'`);
  const day = rows[0]?.day;
  if (day === undefined || day === null) return undefined;
  return dayOf(new Date(`${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T00:00:00Z`));
}

/** Whether a message of this day is still to be sent or resolved. */
export async function hasOpenMessages(db: Queryable, { from, to }: Day): Promise<boolean> {
  const { rows } = await db.query<{ open: boolean }>({
    name: "has_open_messages",
    text: `
      select exists (
        select from messages.messages
        where open_state in ('accepted', 'waiting') and message_id >= $1 and message_id < $2
      ) or exists (
        select from messages.messages
        where open_state in ('sending', 'unknown') and message_id >= $1 and message_id < $2
      ) as open`,
    values: [firstMessageId(from), firstMessageId(to)],
  });
  return rows[0]?.open ?? false;
}
