// The SQL of the accounts' timetable: when each was read from WhatsApp and when it is due again.
import type { Queryable } from "#lib/postgres.ts";

export type StoredAccount = {
  wabaId: string;
  syncedAt: Date | undefined;
  syncDueAt: Date;
  syncFailures: number;
  /** When we last changed a template of it. */
  changedAt: Date | undefined;
};

type AccountRow = {
  waba_id: string;
  synced_at: Date | null;
  sync_due_at: Date;
  sync_failures: number;
  changed_at: Date | null;
};

function fromRow(row: AccountRow): StoredAccount {
  return {
    wabaId: row.waba_id,
    syncedAt: row.synced_at ?? undefined,
    syncDueAt: row.sync_due_at,
    syncFailures: row.sync_failures,
    changedAt: row.changed_at ?? undefined,
  };
}

/** Accounts that are not known yet; due at once. */
export async function insertAccounts(tx: Queryable, wabaIds: readonly string[], dueAt: Date): Promise<void> {
  await tx.query({
    name: "insert_accounts",
    text: `
      insert into templates.accounts (waba_id, sync_due_at)
      select waba_id, $2 from unnest($1::text[]) as new (waba_id) order by waba_id
      on conflict (waba_id) do nothing`,
    values: [wabaIds, dueAt],
  });
}

/** Those that are known, held until the transaction ends, in key order. */
export async function lockAccounts(tx: Queryable, wabaIds: readonly string[]): Promise<StoredAccount[]> {
  const { rows } = await tx.query<AccountRow>({
    name: "lock_accounts",
    text: `
      select waba_id, synced_at, sync_due_at, sync_failures, changed_at
      from templates.accounts
      where waba_id = any ($1::text[])
      order by waba_id
      for update`,
    values: [wabaIds],
  });
  return rows.map(fromRow);
}

export async function saveDueTimes(tx: Queryable, dues: readonly { wabaId: string; dueAt: Date }[]): Promise<void> {
  await tx.query({
    name: "save_due_times",
    text: `
      update templates.accounts a
      set sync_due_at = saved.due_at
      from unnest($1::text[], $2::timestamptz[]) as saved (waba_id, due_at)
      where a.waba_id = saved.waba_id`,
    values: [dues.map(({ wabaId }) => wabaId), dues.map(({ dueAt }) => dueAt)],
  });
}

/** Takes accounts that are due out of the way of other copies until `claimedUntil`. */
export async function claimDueAccounts(
  db: Queryable,
  { now, claimedUntil, limit }: { now: Date; claimedUntil: Date; limit: number },
): Promise<StoredAccount[]> {
  const { rows } = await db.query<AccountRow>({
    name: "claim_due_accounts",
    text: `
      update templates.accounts a
      set sync_due_at = $2
      from (
        select waba_id from templates.accounts
        where sync_due_at <= $1
        order by sync_due_at
        limit $3
        for update skip locked
      ) as due
      where a.waba_id = due.waba_id
      returning a.waba_id, a.synced_at, a.sync_due_at, a.sync_failures, a.changed_at`,
    values: [now, claimedUntil, limit],
  });
  return rows.map(fromRow);
}

export async function markSynced(
  tx: Queryable,
  { wabaId, syncedAt, dueAt }: { wabaId: string; syncedAt: Date; dueAt: Date },
): Promise<void> {
  await tx.query({
    name: "mark_synced",
    text: `
      update templates.accounts
      set synced_at = $2, sync_due_at = $3, sync_failures = 0, last_error = null
      where waba_id = $1`,
    values: [wabaId, syncedAt, dueAt],
  });
}

export async function markSyncFailed(
  db: Queryable,
  { wabaId, dueAt, reason }: { wabaId: string; dueAt: Date; reason: string },
): Promise<void> {
  await db.query({
    name: "mark_sync_failed",
    text: `
      update templates.accounts
      set sync_due_at = $2, sync_failures = sync_failures + 1, last_error = $3
      where waba_id = $1`,
    values: [wabaId, dueAt, reason],
  });
}

/** Of a row that is locked. */
export async function markChanged(
  tx: Queryable,
  { wabaId, changedAt, dueAt }: { wabaId: string; changedAt: Date; dueAt: Date },
): Promise<void> {
  await tx.query({
    name: "mark_changed",
    text: "update templates.accounts set changed_at = $2, sync_due_at = $3 where waba_id = $1",
    values: [wabaId, changedAt, dueAt],
  });
}
