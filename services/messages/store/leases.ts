// Lease rows and their renewals. How long a lease is valid is known to Postgres' own clock only.
import type { Queryable } from "#lib/postgres.ts";
import type { Message } from "../domain/accept.ts";
import type { Lease, LeaseCause, Told } from "../domain/lease.ts";
import { fromRow, type MessageRow, messageColumns } from "./message-row.ts";
import { type ConnectionRecord, loadConnection } from "./register.ts";

export type LockedLease = {
  lease: Lease;
  /** Its time has not run out. */
  isAlive: boolean;
  /** Until it runs out, if nobody renews. */
  remainingMs: number;
};

/** Holds the lease row until the transaction ends. Waits for every Begin that has read it. */
export async function lockLease(tx: Queryable, phoneNumberId: string): Promise<LockedLease | undefined> {
  type Row = {
    term: number;
    epoch: number;
    holder: string;
    boot_id: string;
    address: string;
    state: Lease["state"];
    ended: "released" | "revoked" | "recovered" | null;
  };
  const { rows } = await tx.query<Row>({
    name: "lock_lease",
    text: `
      select term, epoch, holder, boot_id, address, state, ended
      from messages.leases
      where phone_number_id = $1
      for update`,
    values: [phoneNumberId],
  });
  const [row] = rows;
  if (row === undefined) return undefined;
  const { boot_id, ended, ...rest } = row;
  const remainingMs = await loadRemaining(tx, phoneNumberId);
  return { lease: { ...rest, bootId: boot_id, ended: ended ?? undefined }, isAlive: remainingMs > 0, remainingMs };
}

/** Read after the lease row was locked, so that a renewal which came while we waited for it counts. */
async function loadRemaining(tx: Queryable, phoneNumberId: string): Promise<number> {
  const { rows } = await tx.query<{ remaining_ms: number }>({
    name: "load_remaining",
    text: `
      select extract(epoch from valid_until - clock_timestamp())::float8 * 1000 as remaining_ms
      from messages.lease_renewals
      where phone_number_id = $1`,
    values: [phoneNumberId],
  });
  return Math.max(0, rows[0]?.remaining_ms ?? 0);
}

/** Of several first Acquires of a number one inserts, the others find the row. The first term may have been granted and forgotten. */
export async function insertFirstLease(tx: Queryable, phoneNumberId: string, now: Date): Promise<void> {
  await tx.query({
    name: "insert_first_lease",
    text: `
      insert into messages.leases
        (phone_number_id, term, epoch, holder, boot_id, address, state, cause, lapsed, standing, granted_at)
      select $1, coalesce(max(terms_above), 0), 0, '', '', '', 'free', 'first', false, '', $2
      from messages.recoveries
      on conflict do nothing`,
    values: [phoneNumberId, now],
  });
}

// What the next holder must know: to it the number only looks unregistered.
export const lastingStanding = "case when standing = 'conflict' then standing else '' end";

type Grant = { phoneNumberId: string; lease: Lease; cause: LeaseCause; leaseMs: number; now: Date };

/** What the next holder is told of those before it. */
export type Inherited = { standing: string; registeredSeenAt: Date | undefined };

export async function saveGrant(
  tx: Queryable,
  { phoneNumberId, lease, cause, leaseMs, now }: Grant,
): Promise<Inherited> {
  const { rows } = await tx.query<{ standing: string; registered_seen_at: Date | null }>({
    name: "save_grant",
    text: `
      update messages.leases set
        term = $2, epoch = $3, holder = $4, boot_id = $5, address = $6, state = 'held', ended = null, cause = $7,
        proof = null, lapsed = false, standing = ${lastingStanding}, rest_reason = '', rests_until = null, granted_at = $8,
        changed_in = pg_current_xact_id()
      where phone_number_id = $1
      returning standing, registered_seen_at`,
    values: [phoneNumberId, lease.term, lease.epoch, lease.holder, lease.bootId, lease.address, cause, now],
  });
  await tx.query({
    name: "save_first_renewal",
    text: `
      insert into messages.lease_renewals (phone_number_id, term, valid_until)
      values ($1, $2, clock_timestamp() + $3 * interval '1 ms')
      on conflict (phone_number_id) do update set term = excluded.term, valid_until = excluded.valid_until`,
    values: [phoneNumberId, lease.term, leaseMs],
  });
  return { standing: rows[0]?.standing ?? "", registeredSeenAt: rows[0]?.registered_seen_at ?? undefined };
}

/** The holder's time starts anew, and nothing else changes. The lease row is locked. */
export async function saveKept(
  tx: Queryable,
  { phoneNumberId, term, leaseMs }: { phoneNumberId: string; term: number; leaseMs: number },
): Promise<ConnectionRecord> {
  await tx.query({
    name: "renew_kept",
    text: `
      update messages.lease_renewals
      set valid_until = clock_timestamp() + $3 * interval '1 ms'
      where phone_number_id = $1 and term = $2`,
    values: [phoneNumberId, term, leaseMs],
  });
  const connection = await loadConnection(tx, phoneNumberId);
  if (connection === undefined) throw new Error(`lease of number ${phoneNumberId} has no holder`);
  return connection;
}

/** The holder is asked to end; its next Renew says so. */
export async function saveDraining(tx: Queryable, phoneNumberId: string): Promise<void> {
  await tx.query({
    name: "save_draining",
    text: "update messages.leases set state = 'draining' where phone_number_id = $1",
    values: [phoneNumberId],
  });
}

/** Ends a term. From now on nothing of this term renews, claims or begins. */
export async function saveEnd(
  tx: Queryable,
  phoneNumberId: string,
  ended: "released" | "revoked",
  proof: string | undefined,
): Promise<void> {
  await tx.query({
    name: "save_lease_end",
    text: `
      update messages.leases
      set state = 'free', ended = $2, proof = $3, lapsed = false, standing = ${lastingStanding}, rest_reason = '',
        rests_until = null, changed_in = pg_current_xact_id()
      where phone_number_id = $1`,
    values: [phoneNumberId, ended, proof ?? null],
  });
  await tx.query({
    name: "delete_renewal",
    text: "delete from messages.lease_renewals where phone_number_id = $1",
    values: [phoneNumberId],
  });
}

// Of a holder that does not say, nothing changes.
const toldSeenAt =
  "case $6::boolean when true then coalesce(registered_seen_at, $7) when false then null else registered_seen_at end";

type Noted = { phoneNumberId: string; term: number; told: Told; now: Date };

/** What the holder says of the number, if that is news. Once in a while only: Begin holds the row. */
export async function saveStanding(db: Queryable, { phoneNumberId, term, told, now }: Noted): Promise<void> {
  const { standing, restReason, restsUntil, wasRegistered } = told;
  await db.query({
    name: "save_standing",
    text: `
      update messages.leases
      set standing = $3, rest_reason = $4, rests_until = $5, registered_seen_at = ${toldSeenAt},
        changed_in = pg_current_xact_id()
      where phone_number_id = $1 and term = $2 and state <> 'free'
        and (standing, rest_reason, rests_until, registered_seen_at)
          is distinct from ($3, $4, $5, ${toldSeenAt})`,
    values: [phoneNumberId, term, standing, restReason, restsUntil ?? null, wasRegistered ?? null, now],
  });
}

/** The same of a holder that ends, and says nothing else any more. */
export async function saveRegistration(
  tx: Queryable,
  { phoneNumberId, wasRegistered, now }: { phoneNumberId: string; wasRegistered: boolean; now: Date },
): Promise<void> {
  await tx.query({
    name: "save_registration",
    text: `
      update messages.leases
      set registered_seen_at = case when $2 then $3::timestamptz end, changed_in = pg_current_xact_id()
      where phone_number_id = $1 and (registered_seen_at is null) = $2`,
    values: [phoneNumberId, wasRegistered, now],
  });
}

/** What terms before this one left in sending, held until the transaction ends. */
export async function lockLeftSending(tx: Queryable, phoneNumberId: string, term: number): Promise<Message[]> {
  const { rows } = await tx.query<MessageRow>({
    name: "lock_left_sending",
    text: `
      select ${messageColumns}
      from messages.messages
      where phone_number_id = $1 and open_state = 'sending' and term < $2
      order by message_id
      for update`,
    values: [phoneNumberId, term],
  });
  return rows.map(fromRow);
}

export type Renewal = { phoneNumberId: string; term: number };
export type Renewed = { handOver: boolean; workDue: boolean };

/** Renews those that are still their holder's; answers by phone number id, and nothing for the others. */
export async function renewLeases(
  db: Queryable,
  renewals: readonly Renewal[],
  { leaseMs, now, floor }: { leaseMs: number; now: Date; floor: string },
): Promise<Map<string, Renewed & { term: number }>> {
  type Row = { phone_number_id: string; term: number; hand_over: boolean; work_due: boolean };
  const { rows } = await db.query<Row>({
    name: "renew_leases",
    text: `
      with renewed as (
        update messages.lease_renewals as renewal
        set valid_until = clock_timestamp() + $3 * interval '1 ms'
        from unnest($1::text[], $2::bigint[]) as asked (phone_number_id, term)
        where renewal.phone_number_id = asked.phone_number_id and renewal.term = asked.term
        returning renewal.phone_number_id, renewal.term
      )
      select
        renewed.phone_number_id, renewed.term, lease.state = 'draining' as hand_over,
        exists (
          select from (values ('reply'), ('bulk')) as lane (name)
          cross join lateral (
            (
              select from messages.messages
              where phone_number_id = renewed.phone_number_id and lane = lane.name and open_state = 'accepted'
                and message_id >= $5
              order by seq
              limit 1
            )
            union all
            (
              select from messages.messages
              where phone_number_id = renewed.phone_number_id and lane = lane.name and open_state = 'waiting'
                and due_at <= $4 and message_id >= $5
              order by due_at
              limit 1
            )
          ) as due
        ) as work_due
      from renewed
      join messages.leases as lease using (phone_number_id)`,
    values: [renewals.map(({ phoneNumberId }) => phoneNumberId), renewals.map(({ term }) => term), leaseMs, now, floor],
  });
  return new Map(
    rows.map(({ phone_number_id, term, hand_over, work_due }) => [
      phone_number_id,
      { term, handOver: hand_over, workDue: work_due },
    ]),
  );
}

export type LapseChange = { phoneNumberId: string; term: number; lapsed: boolean; address: string };

/** Marks the leases whose time ran out, and those that were renewed after it did. Answers with what changed. */
export async function markLapses(tx: Queryable): Promise<LapseChange[]> {
  type Row = { phone_number_id: string; term: number; lapsed: boolean; address: string };
  const { rows } = await tx.query<Row>({
    name: "mark_lapses",
    text: `
      with changed as (
        select lease.phone_number_id
        from messages.leases as lease
        join messages.lease_renewals as renewal using (phone_number_id)
        where lease.state <> 'free' and lease.lapsed <> (renewal.valid_until <= clock_timestamp())
        order by lease.phone_number_id
        for update of lease skip locked
      )
      update messages.leases as lease
      set lapsed = not lapsed, changed_in = pg_current_xact_id()
      from changed
      where lease.phone_number_id = changed.phone_number_id
      returning lease.phone_number_id, lease.term, lease.lapsed, lease.address`,
  });
  return rows.map(({ phone_number_id, ...rest }) => ({ phoneNumberId: phone_number_id, ...rest }));
}
