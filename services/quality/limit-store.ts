// The SQL of the messaging limit: users and reservations. Whoever changes a scope's users or reservations holds its row in limit_scopes.
import type { Queryable } from "#lib/postgres.ts";
import type { Use } from "./domain/limit.ts";

/** At most `limit` users whose time has passed; answers how many. The caller takes them off the count. */
export async function deleteInactiveUsers(
  tx: Queryable,
  { scopeId, now, limit }: { scopeId: string; now: Date; limit: number },
): Promise<number> {
  const { rowCount } = await tx.query({
    name: "delete_inactive_users",
    text: `
      delete from quality.limit_users
      where scope_id = $1 and user_id in (
        select user_id from quality.limit_users where scope_id = $1 and active_until <= $2 order by active_until limit $3
      )`,
    values: [scopeId, now, limit],
  });
  return rowCount ?? 0;
}

/** When the user was delivered to whose place becomes free after `overuse` others; undefined: none, all are only reserved. */
export async function loadLeavingUser(
  tx: Queryable,
  { scopeId, countedAfter, overuse }: { scopeId: string; countedAfter: Date; overuse: number },
): Promise<Date | undefined> {
  const { rows } = await tx.query<{ counted_at: Date }>({
    name: "load_leaving_user",
    text: `
      select counted_at
      from quality.limit_users
      where scope_id = $1 and counted_at > $2
      order by counted_at
      offset $3 limit 1`,
    values: [scopeId, countedAfter, overuse],
  });
  return rows[0]?.counted_at;
}

/** Messages by id: whose they are and until when they hold a place. */
export type StoredReservation = { messageId: string; scopeId: string; userId: string; lapsesAt: Date };

type ReservationRow = { message_id: string; scope_id: string; user_id: string; lapses_at: Date };

export async function loadReservations(tx: Queryable, messageIds: readonly string[]): Promise<StoredReservation[]> {
  const { rows } = await tx.query<ReservationRow>({
    name: "load_reservations",
    text: `
      select message_id, scope_id, user_id, lapses_at
      from quality.reservations
      where message_id = any ($1::uuid[])`,
    values: [messageIds],
  });
  return rows.map((row) => ({
    messageId: row.message_id,
    scopeId: row.scope_id,
    userId: row.user_id,
    lapsesAt: row.lapses_at,
  }));
}

export type UserKey = { scopeId: string; userId: string };

/** Which of the users have a row, and so take up a place, in no order. */
export async function loadActiveUsers(
  tx: Queryable,
  scopeId: string,
  userIds: readonly string[],
): Promise<Set<string>> {
  const { rows } = await tx.query<{ user_id: string }>({
    name: "load_active_users",
    text: `select user_id from quality.limit_users where scope_id = $1 and user_id = any ($2::text[])`,
    values: [scopeId, userIds],
  });
  return new Set(rows.map((row) => row.user_id));
}

/** Where a number stands with its limit. `used` and `activeUsers` leave out users whose time has passed, though their rows may still be there. */
export type LimitView = {
  scopeId: string;
  status: string;
  tier: string;
  used: number;
  /** Of the users asked. */
  activeUsers: ReadonlySet<string>;
};

type LimitViewRow = { scope_id: string; status: string; tier: string; used: number; active_users: string[] };

/** Undefined for a number that was never heard of. Locks nothing. */
export async function loadLimitView(
  db: Queryable,
  { phoneNumberId, userIds, now }: { phoneNumberId: string; userIds: readonly string[]; now: Date },
): Promise<LimitView | undefined> {
  const { rows } = await db.query<LimitViewRow>({
    name: "load_limit_view",
    text: `
      select n.scope_id, n.status, s.tier, s.used - (
          select count(*)::integer from quality.limit_users u where u.scope_id = s.scope_id and u.active_until <= $3
        ) as used,
        array(
          select u.user_id
          from quality.limit_users u
          where u.scope_id = s.scope_id and u.user_id = any ($2::text[]) and u.active_until > $3
        ) as active_users
      from quality.numbers n
      join quality.limit_scopes s using (scope_id)
      where n.phone_number_id = $1`,
    values: [phoneNumberId, userIds, now],
  });
  return rows.map((row) => ({
    scopeId: row.scope_id,
    status: row.status,
    tier: row.tier,
    used: row.used,
    activeUsers: new Set(row.active_users),
  }))[0];
}

export type StoredUse = UserKey & {
  use: Use;
  /** Has a row, and so takes up a place. */
  isActive: boolean;
};

type UseRow = {
  scope_id: string;
  user_id: string;
  is_active: boolean;
  counted_at: Date | null;
  message_ids: string[] | null;
  lapse_times: Date[] | null;
};

/** In the order asked. */
export async function loadUses(tx: Queryable, keys: readonly UserKey[]): Promise<StoredUse[]> {
  const { rows } = await tx.query<UseRow>({
    name: "load_uses",
    text: `
      select asked.scope_id, asked.user_id, u.user_id is not null as is_active, u.counted_at, r.message_ids, r.lapse_times
      from unnest($1::text[], $2::text[]) with ordinality as asked (scope_id, user_id, position)
      left join quality.limit_users u using (scope_id, user_id)
      left join lateral (
        select array_agg(message_id::text order by message_id) as message_ids,
          array_agg(lapses_at order by message_id) as lapse_times
        from quality.reservations
        where scope_id = asked.scope_id and user_id = asked.user_id
      ) r on true
      order by asked.position`,
    values: [keys.map(({ scopeId }) => scopeId), keys.map(({ userId }) => userId)],
  });
  return rows.map((row) => ({
    scopeId: row.scope_id,
    userId: row.user_id,
    isActive: row.is_active,
    use: { countedAt: row.counted_at ?? undefined, reservations: toReservations(row.message_ids, row.lapse_times) },
  }));
}

function toReservations(messageIds: readonly string[] | null, lapseTimes: readonly Date[] | null): Map<string, Date> {
  return new Map(
    (messageIds ?? []).flatMap((messageId, index) => {
      const lapsesAt = lapseTimes?.[index];
      return lapsesAt === undefined ? [] : [[messageId, lapsesAt] as const];
    }),
  );
}

/** A user's time never shrinks by this: another reservation may hold the place for longer. */
export async function saveReservations(tx: Queryable, reservations: readonly StoredReservation[]): Promise<void> {
  await tx.query({
    name: "save_reservations",
    text: `
      with saved as (
        select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as saved (message_id, scope_id, user_id, lapses_at)
      ), users as (
        insert into quality.limit_users as u (scope_id, user_id, active_until)
        select scope_id, user_id, max(lapses_at) from saved group by scope_id, user_id
        on conflict (scope_id, user_id) do update set active_until = greatest(u.active_until, excluded.active_until)
      )
      insert into quality.reservations (message_id, scope_id, user_id, lapses_at)
      select message_id, scope_id, user_id, lapses_at from saved
      on conflict (message_id) do update
      set scope_id = excluded.scope_id, user_id = excluded.user_id, lapses_at = excluded.lapses_at`,
    values: [
      reservations.map(({ messageId }) => messageId),
      reservations.map(({ scopeId }) => scopeId),
      reservations.map(({ userId }) => userId),
      reservations.map(({ lapsesAt }) => lapsesAt),
    ],
  });
}

export type UseChange = UserKey & { countedAt: Date | undefined; activeUntil: Date };

/** Users as they are now; those without a row get one. */
export async function saveUsers(tx: Queryable, users: readonly UseChange[]): Promise<void> {
  await tx.query({
    name: "save_users",
    text: `
      insert into quality.limit_users (scope_id, user_id, counted_at, active_until)
      select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
      on conflict (scope_id, user_id) do update
      set counted_at = excluded.counted_at, active_until = excluded.active_until`,
    values: [
      users.map(({ scopeId }) => scopeId),
      users.map(({ userId }) => userId),
      users.map(({ countedAt }) => countedAt ?? null),
      users.map(({ activeUntil }) => activeUntil),
    ],
  });
}

export async function saveLapseTimes(
  tx: Queryable,
  reservations: readonly { messageId: string; lapsesAt: Date }[],
): Promise<void> {
  await tx.query({
    name: "save_lapse_times",
    text: `
      update quality.reservations r
      set lapses_at = saved.lapses_at
      from unnest($1::uuid[], $2::timestamptz[]) as saved (message_id, lapses_at)
      where r.message_id = saved.message_id`,
    values: [reservations.map(({ messageId }) => messageId), reservations.map(({ lapsesAt }) => lapsesAt)],
  });
}

export async function deleteReservations(tx: Queryable, messageIds: readonly string[]): Promise<void> {
  await tx.query({
    name: "delete_reservations",
    text: `delete from quality.reservations where message_id = any ($1::uuid[])`,
    values: [messageIds],
  });
}

/** At most `limit` reservations that lapsed before; answers how many. */
export async function deleteOldReservations(
  db: Queryable,
  { lapsedBefore, limit }: { lapsedBefore: Date; limit: number },
): Promise<number> {
  const { rowCount } = await db.query({
    name: "delete_old_reservations",
    text: `
      delete from quality.reservations
      where message_id in (
        select message_id from quality.reservations where lapses_at < $1 order by lapses_at limit $2 for update skip locked
      )`,
    values: [lapsedBefore, limit],
  });
  return rowCount ?? 0;
}
