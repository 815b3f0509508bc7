// The SQL of billing. A window only ever grows, so saving the later of two needs no lock.
import type { Queryable } from "#lib/postgres.ts";
import { closed, type Window } from "./domain/window.ts";

/** A window belongs to a number and a user. */
export type WindowKey = { phoneNumberId: string; userId: string };

type WindowRow = { closes_at: Date | null };

/** In the order asked; a key without a row is closed. */
export async function loadWindows(db: Queryable, keys: readonly WindowKey[]): Promise<Window[]> {
  const { rows } = await db.query<WindowRow>({
    name: "load_windows",
    text: `
      select w.closes_at
      from unnest($1::text[], $2::text[]) with ordinality as asked (phone_number_id, user_id, position)
      left join billing.windows w using (phone_number_id, user_id)
      order by asked.position`,
    values: [keys.map(({ phoneNumberId }) => phoneNumberId), keys.map(({ userId }) => userId)],
  });
  return rows.map(fromRow);
}

function fromRow({ closes_at: closesAt }: WindowRow): Window {
  return closesAt === null ? closed : { state: "open", closesAt };
}

/** Rows go in key order, so that two writers never wait for each other; an earlier closing time than the stored one changes nothing. */
export async function saveWindows(db: Queryable, windows: readonly (WindowKey & { closesAt: Date })[]): Promise<void> {
  await db.query({
    name: "save_windows",
    text: `
      insert into billing.windows as w (phone_number_id, user_id, closes_at)
      select phone_number_id, user_id, closes_at
      from unnest($1::text[], $2::text[], $3::timestamptz[]) as saved (phone_number_id, user_id, closes_at)
      order by phone_number_id, user_id
      on conflict (phone_number_id, user_id) do update
      set closes_at = excluded.closes_at
      where w.closes_at < excluded.closes_at`,
    values: [
      windows.map(({ phoneNumberId }) => phoneNumberId),
      windows.map(({ userId }) => userId),
      windows.map(({ closesAt }) => closesAt),
    ],
  });
}

/**
 * Deletes, among the next `limit` windows after the key, those that closed before; answers the last key that was looked at,
 * undefined at the end. Walks the primary key: an index of closing times would cost every message a write.
 */
export async function deleteOldWindows(
  db: Queryable,
  { after, closedBefore, limit }: { after: WindowKey; closedBefore: Date; limit: number },
): Promise<WindowKey | undefined> {
  const { rows } = await db.query<{ phone_number_id: string; user_id: string }>({
    name: "delete_old_windows",
    text: `
      with page as materialized (
        select phone_number_id, user_id
        from billing.windows
        where (phone_number_id, user_id) > ($1, $2)
        order by phone_number_id, user_id
        limit $3
      ), old as materialized (
        select w.phone_number_id, w.user_id
        from billing.windows w
        join page using (phone_number_id, user_id)
        where w.closes_at < $4
        for update of w skip locked
      ), gone as (
        delete from billing.windows w
        using old
        where w.phone_number_id = old.phone_number_id and w.user_id = old.user_id
      )
      select phone_number_id, user_id from page order by phone_number_id desc, user_id desc limit 1`,
    values: [after.phoneNumberId, after.userId, limit, closedBefore],
  });
  return rows.map((row) => ({ phoneNumberId: row.phone_number_id, userId: row.user_id }))[0];
}
