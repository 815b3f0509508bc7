// Finding messages by what others know of them.
import type { Queryable } from "#lib/postgres.ts";
import { fromTracedRow, type TracedMessage, type TracedRow, tracedColumns } from "./message-row.ts";

export async function loadMessage(db: Queryable, messageId: string): Promise<TracedMessage | undefined> {
  const { rows } = await db.query<TracedRow>({
    name: "load_message",
    text: `select ${tracedColumns} from messages.messages where message_id = $1`,
    values: [messageId],
  });
  return rows.map(fromTracedRow)[0];
}

/** Our message ids by WhatsApp's. */
export async function findByWamid(db: Queryable, wamids: readonly string[]): Promise<Map<string, string>> {
  if (wamids.length === 0) return new Map();
  const { rows } = await db.query<{ wamid: string; message_id: string }>({
    name: "find_by_wamid",
    text: "select wamid, message_id from messages.messages where wamid = any ($1::text[])",
    values: [wamids],
  });
  return new Map(rows.map(({ wamid, message_id }) => [wamid, message_id]));
}

/** Messages for which time may have run out: no finish, no outcome, or too late to be sent. */
export async function findDue(
  db: Queryable,
  { now, most, floor }: { now: Date; most: number; floor: string },
): Promise<string[]> {
  const { rows } = await db.query<{ message_id: string }>({
    name: "find_due",
    text: `
      (
        select message_id from messages.messages
        where open_state in ('sending', 'unknown') and due_at <= $1 and message_id >= $3
        order by due_at
        limit $2
      )
      union all
      (
        select message_id from messages.messages
        where open_state in ('accepted', 'waiting') and expires_at <= $1 and message_id >= $3
        order by expires_at
        limit $2
      )`,
    values: [now, most, floor],
  });
  return rows.map(({ message_id }) => message_id);
}

/** Removes at most `most` idempotency keys older than `before`; answers how many. */
export async function deleteOldKeys(db: Queryable, { before, most }: { before: Date; most: number }): Promise<number> {
  const { rowCount } = await db.query({
    name: "delete_old_keys",
    text: `
      delete from messages.idempotency_keys
      where (phone_number_id, key) in (
        select phone_number_id, key
        from messages.idempotency_keys
        where created_at < $1
        order by created_at
        limit $2
        for update skip locked
      )`,
    values: [before, most],
  });
  return rowCount ?? 0;
}
