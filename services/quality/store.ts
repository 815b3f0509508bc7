// The SQL of quality: the numbers and what WhatsApp tells of them. The messaging limit is in limit-store.ts.
// Locks are taken in one order: numbers, then scopes, each by id.
import type { Queryable } from "#lib/postgres.ts";
import type { NumberIds } from "./domain/number.ts";

/** What WhatsApp tells of a number, in Meta's words. */
export type Facts = {
  qualityRating: string;
  status: string;
  throughputLevel: string;
  nameStatus: string;
  verifiedName: string;
};

export type StoredNumber = NumberIds & {
  scopeId: string;
  status: string;
  observedAt: Date | undefined;
  refreshDueAt: Date;
  refreshFailures: number;
};

type NumberRow = {
  phone_number_id: string;
  waba_id: string | null;
  business_id: string | null;
  scope_id: string;
  status: string;
  observed_at: Date | null;
  refresh_due_at: Date;
  refresh_failures: number;
};

const numberColumns = `n.phone_number_id, n.waba_id, n.business_id, n.scope_id, n.status, n.observed_at, n.refresh_due_at, n.refresh_failures`;

function fromRow(row: NumberRow): StoredNumber {
  return {
    phoneNumberId: row.phone_number_id,
    wabaId: row.waba_id ?? undefined,
    businessId: row.business_id ?? undefined,
    scopeId: row.scope_id,
    status: row.status,
    observedAt: row.observed_at ?? undefined,
    refreshDueAt: row.refresh_due_at,
    refreshFailures: row.refresh_failures,
  };
}

/** Numbers that are not known yet, each in a scope of its own, which is held until the transaction ends. */
export async function insertNumbers(tx: Queryable, phoneNumberIds: readonly string[], dueAt: Date): Promise<void> {
  await tx.query({
    name: "insert_numbers",
    text: `
      with inserted as (
        insert into quality.numbers (phone_number_id, scope_id, refresh_due_at)
        select id, id, $2 from (select distinct unnest($1::text[]) as id order by id) as new
        on conflict (phone_number_id) do nothing
        returning scope_id
      )
      insert into quality.limit_scopes (scope_id)
      select scope_id from inserted order by scope_id
      on conflict (scope_id) do update set scope_id = excluded.scope_id`,
    values: [phoneNumberIds, dueAt],
  });
}

/** The numbers named, and all of the accounts named, held until the transaction ends. */
export async function lockNumbers(
  tx: Queryable,
  { phoneNumberIds, wabaIds }: { phoneNumberIds: readonly string[]; wabaIds: readonly string[] },
): Promise<StoredNumber[]> {
  const { rows } = await tx.query<NumberRow>({
    name: "lock_numbers",
    text: `
      select ${numberColumns}
      from quality.numbers n
      where n.phone_number_id = any ($1::text[]) or n.waba_id = any ($2::text[])
      order by n.phone_number_id
      for no key update`,
    values: [phoneNumberIds, wabaIds],
  });
  return rows.map(fromRow);
}

/** Keeps the number in its scope until the transaction ends. */
export async function holdNumber(tx: Queryable, phoneNumberId: string): Promise<StoredNumber | undefined> {
  const { rows } = await tx.query<NumberRow>({
    name: "hold_number",
    text: `select ${numberColumns} from quality.numbers n where n.phone_number_id = $1 for share`,
    values: [phoneNumberId],
  });
  return rows.map(fromRow)[0];
}

export async function saveIds(tx: Queryable, numbers: readonly (NumberIds & { scopeId: string })[]): Promise<void> {
  await tx.query({
    name: "save_ids",
    text: `
      update quality.numbers n
      set waba_id = saved.waba_id, business_id = saved.business_id, scope_id = saved.scope_id
      from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as saved (phone_number_id, waba_id, business_id, scope_id)
      where n.phone_number_id = saved.phone_number_id`,
    values: [
      numbers.map(({ phoneNumberId }) => phoneNumberId),
      numbers.map(({ wabaId }) => wabaId ?? null),
      numbers.map(({ businessId }) => businessId ?? null),
      numbers.map(({ scopeId }) => scopeId),
    ],
  });
}

export async function saveFacts(
  tx: Queryable,
  { phoneNumberId, facts, observedAt, dueAt }: { phoneNumberId: string; facts: Facts; observedAt: Date; dueAt: Date },
): Promise<void> {
  await tx.query({
    name: "save_facts",
    text: `
      update quality.numbers
      set quality_rating = $2, status = $3, throughput_level = $4, name_status = $5, verified_name = $6,
        observed_at = $7, refresh_due_at = $8, refresh_failures = 0, last_error = null
      where phone_number_id = $1`,
    values: [
      phoneNumberId,
      facts.qualityRating,
      facts.status,
      facts.throughputLevel,
      facts.nameStatus,
      facts.verifiedName,
      observedAt,
      dueAt,
    ],
  });
}

export async function deleteNumbers(tx: Queryable, phoneNumberIds: readonly string[]): Promise<void> {
  await tx.query({
    name: "delete_numbers",
    text: `delete from quality.numbers where phone_number_id = any ($1::text[])`,
    values: [phoneNumberIds],
  });
}

/** Of numbers that are locked: due then, if they were not due before. */
export async function makeDue(tx: Queryable, phoneNumberIds: readonly string[], dueAt: Date): Promise<void> {
  await tx.query({
    name: "make_due",
    text: `
      update quality.numbers
      set refresh_due_at = $2
      where phone_number_id = any ($1::text[]) and refresh_due_at > $2`,
    values: [phoneNumberIds, dueAt],
  });
}

/** Takes numbers that are due out of the way of other copies until `claimedUntil`. */
export async function claimDueNumbers(
  db: Queryable,
  { now, claimedUntil, limit }: { now: Date; claimedUntil: Date; limit: number },
): Promise<StoredNumber[]> {
  const { rows } = await db.query<NumberRow>({
    name: "claim_due_numbers",
    text: `
      update quality.numbers n
      set refresh_due_at = $2
      from (
        select phone_number_id from quality.numbers
        where refresh_due_at <= $1
        order by refresh_due_at
        limit $3
        for update skip locked
      ) as due
      where n.phone_number_id = due.phone_number_id
      returning ${numberColumns}`,
    values: [now, claimedUntil, limit],
  });
  return rows.map(fromRow);
}

export async function markRefreshFailed(
  db: Queryable,
  { phoneNumberId, dueAt, reason }: { phoneNumberId: string; dueAt: Date; reason: string },
): Promise<void> {
  await db.query({
    name: "mark_refresh_failed",
    text: `
      update quality.numbers
      set refresh_due_at = $2, refresh_failures = refresh_failures + 1, last_error = $3
      where phone_number_id = $1`,
    values: [phoneNumberId, dueAt, reason],
  });
}

/** A number with its facts and those of its limit. */
export type NumberView = Facts & {
  phoneNumberId: string;
  wabaId: string | undefined;
  tier: string;
  used: number;
  observedAt: Date | undefined;
};

type ViewRow = {
  phone_number_id: string;
  waba_id: string | null;
  quality_rating: string;
  status: string;
  throughput_level: string;
  name_status: string;
  verified_name: string;
  observed_at: Date | null;
  tier: string;
  used: number;
};

/** `used` leaves out the users whose time has passed, though their rows may still be there. */
export async function loadNumber(db: Queryable, phoneNumberId: string, now: Date): Promise<NumberView | undefined> {
  const { rows } = await db.query<ViewRow>({
    name: "load_number",
    text: `
      select n.phone_number_id, n.waba_id, n.quality_rating, n.status, n.throughput_level, n.name_status, n.verified_name,
        n.observed_at, s.tier, s.used - (
          select count(*)::integer from quality.limit_users u where u.scope_id = s.scope_id and u.active_until <= $2
        ) as used
      from quality.numbers n
      join quality.limit_scopes s using (scope_id)
      where n.phone_number_id = $1`,
    values: [phoneNumberId, now],
  });
  return rows.map(fromViewRow)[0];
}

function fromViewRow(row: ViewRow): NumberView {
  return {
    phoneNumberId: row.phone_number_id,
    wabaId: row.waba_id ?? undefined,
    qualityRating: row.quality_rating,
    status: row.status,
    throughputLevel: row.throughput_level,
    nameStatus: row.name_status,
    verifiedName: row.verified_name,
    observedAt: row.observed_at ?? undefined,
    tier: row.tier,
    used: row.used,
  };
}
