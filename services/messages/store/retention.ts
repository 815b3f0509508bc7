// What retention reads and forgets of inbound messages.
import type { Queryable } from "#lib/postgres.ts";

export type InboundKey = { at: Date; wamid: string };

export type Passing = {
  keys: readonly InboundKey[];
  /** Their events have left the outbox once it has no row up to this one. */
  lastOutboxId: number;
};

/** What users wrote to pass-through numbers since then and is still known, with the outbox of the same moment. */
export async function loadPassing(db: Queryable, { since, most }: { since: Date; most: number }): Promise<Passing> {
  const { rows } = await db.query<{ at: Date | null; wamid: string | null; last_id: number }>({
    name: "load_passing",
    text: `
      select passing.at, passing.wamid, coalesce((select max(id) from messages.outbox), 0) as last_id
      from (values (1)) as one
      left join (
        select at, wamid
        from messages.inbound
        where pass_through and message_json is not null and received_at >= $1
        order by received_at
        limit $2
      ) as passing on true`,
    values: [since, most],
  });
  return {
    keys: rows.flatMap(({ at, wamid }) => (at === null || wamid === null ? [] : { at, wamid })),
    lastOutboxId: rows[0]?.last_id ?? 0,
  };
}

/** Whether an event up to this one still waits to be published. */
export async function isOutboxBehind(db: Queryable, lastOutboxId: number): Promise<boolean> {
  const { rows } = await db.query({
    name: "is_outbox_behind",
    text: "select from messages.outbox where id <= $1 limit 1",
    values: [lastOutboxId],
  });
  return rows.length > 0;
}

/** Forgets what was written; who wrote and when stays. */
export async function forgetInbound(db: Queryable, keys: readonly InboundKey[]): Promise<void> {
  await db.query({
    name: "forget_inbound",
    text: `
      update messages.inbound as held
      set message_json = null
      from unnest($1::timestamptz[], $2::text[]) as spent (at, wamid)
      where held.at = spent.at and held.wamid = spent.wamid`,
    values: [keys.map(({ at }) => at), keys.map(({ wamid }) => wamid)],
  });
}

/** Deletes what lies in no day: inbound messages whose day has no partition, and entries that could not be read. Both are few. */
export async function deleteStray(db: Queryable, before: Date): Promise<void> {
  await db.query({
    name: "delete_stray_inbound",
    text: "delete from messages.inbound_default where received_at < $1",
    values: [before],
  });
  await db.query({
    name: "delete_old_unparsed",
    text: "delete from messages.unparsed_updates where received_at < $1",
    values: [before],
  });
}
