// The SQL of the scopes: which limit holds for them, how much of it is used, and how one goes over into another.
import type { Queryable } from "#lib/postgres.ts";
import type { ReportedTier } from "./domain/number.ts";

export type StoredScope = ReportedTier & { scopeId: string; used: number };

type ScopeRow = { scope_id: string; tier: string; tier_reported_at: Date | null; used: number };

/** Makes those that are missing, and holds all of them until the transaction ends. */
export async function insertScopes(tx: Queryable, scopeIds: readonly string[]): Promise<void> {
  await tx.query({
    name: "insert_scopes",
    text: `
      insert into quality.limit_scopes (scope_id)
      select scope_id from unnest($1::text[]) as new (scope_id) order by scope_id
      on conflict (scope_id) do update set scope_id = excluded.scope_id`,
    values: [scopeIds],
  });
}

/** Those that exist, held until the transaction ends. */
export async function lockScopes(tx: Queryable, scopeIds: readonly string[]): Promise<StoredScope[]> {
  const { rows } = await tx.query<ScopeRow>({
    name: "lock_scopes",
    text: `
      select scope_id, tier, tier_reported_at, used
      from quality.limit_scopes
      where scope_id = any ($1::text[])
      order by scope_id
      for no key update`,
    values: [scopeIds],
  });
  return rows.map((row) => ({
    scopeId: row.scope_id,
    tier: row.tier,
    reportedAt: row.tier_reported_at ?? undefined,
    used: row.used,
  }));
}

export async function saveTiers(tx: Queryable, scopes: readonly (ReportedTier & { scopeId: string })[]): Promise<void> {
  await tx.query({
    name: "save_tiers",
    text: `
      update quality.limit_scopes s
      set tier = saved.tier, tier_reported_at = saved.reported_at
      from unnest($1::text[], $2::text[], $3::timestamptz[]) as saved (scope_id, tier, reported_at)
      where s.scope_id = saved.scope_id`,
    values: [
      scopes.map(({ scopeId }) => scopeId),
      scopes.map(({ tier }) => tier),
      scopes.map(({ reportedAt }) => reportedAt ?? null),
    ],
  });
}

/** Adds to the count of users, which may also fall. */
export async function addUsed(tx: Queryable, changes: readonly { scopeId: string; added: number }[]): Promise<void> {
  await tx.query({
    name: "add_used",
    text: `
      update quality.limit_scopes s
      set used = s.used + saved.added
      from unnest($1::text[], $2::integer[]) as saved (scope_id, added)
      where s.scope_id = saved.scope_id`,
    values: [changes.map(({ scopeId }) => scopeId), changes.map(({ added }) => added)],
  });
}

/** Which of the scopes no number is in. */
export async function findEmptyScopes(tx: Queryable, scopeIds: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ scope_id: string }>({
    name: "find_empty_scopes",
    text: `
      select scope_id
      from unnest($1::text[]) as asked (scope_id)
      where not exists (select from quality.numbers n where n.scope_id = asked.scope_id)`,
    values: [scopeIds],
  });
  return rows.map((row) => row.scope_id);
}

type Merge = { from: string; to: string };

/** Of two scopes that are held: users and reservations go over, the emptied one is gone. Answers how many users the other gained. */
export async function mergeScope(tx: Queryable, { from, to }: Merge): Promise<number> {
  await tx.query({
    name: "merge_common_users",
    text: `
      with gone as (
        delete from quality.limit_users f
        using quality.limit_users t
        where f.scope_id = $1 and t.scope_id = $2 and t.user_id = f.user_id
        returning f.user_id, f.counted_at, f.active_until
      )
      update quality.limit_users t
      set counted_at = greatest(t.counted_at, gone.counted_at), active_until = greatest(t.active_until, gone.active_until)
      from gone
      where t.scope_id = $2 and t.user_id = gone.user_id`,
    values: [from, to],
  });
  const { rowCount } = await tx.query({
    name: "move_users",
    text: `update quality.limit_users set scope_id = $2 where scope_id = $1`,
    values: [from, to],
  });
  await tx.query({
    name: "move_reservations",
    text: `update quality.reservations set scope_id = $2 where scope_id = $1`,
    values: [from, to],
  });
  await tx.query({
    name: "delete_scope",
    text: `delete from quality.limit_scopes where scope_id = $1`,
    values: [from],
  });
  return rowCount ?? 0;
}

const isDeserted = `not exists (select from quality.numbers n where n.scope_id = s.scope_id)
        and not exists (select from quality.limit_users u where u.scope_id = s.scope_id)
        and not exists (select from quality.reservations r where r.scope_id = s.scope_id)`;

/** Scopes with users whose time has passed, and those that hold nothing and are of no number. */
export async function findStaleScopes(db: Queryable, { now, limit }: { now: Date; limit: number }): Promise<string[]> {
  const { rows } = await db.query<{ scope_id: string }>({
    name: "find_stale_scopes",
    text: `
      select s.scope_id
      from quality.limit_scopes s
      where exists (select from quality.limit_users u where u.scope_id = s.scope_id and u.active_until <= $1)
        or ${isDeserted}
      order by s.scope_id
      limit $2`,
    values: [now, limit],
  });
  return rows.map((row) => row.scope_id);
}

/** Of a scope that is held. A reservation keeps it: news of its message may still come. */
export async function deleteDesertedScope(tx: Queryable, scopeId: string): Promise<void> {
  await tx.query({
    name: "delete_deserted_scope",
    text: `delete from quality.limit_scopes s where s.scope_id = $1 and ${isDeserted}`,
    values: [scopeId],
  });
}
