// Recoveries, and what they need of leases and messages. How long leases are barred is known to Postgres' own clock only.
import type { Queryable } from "#lib/postgres.ts";
import type { Standstill } from "../domain/recovery.ts";
import { lastingStanding } from "./leases.ts";
import type { Position } from "./republish.ts";

export type Recovery = {
  since: Date;
  startedAt: Date;
  lastSeq: number;
  grantsAfter: Date;
  /** Since when no message is left that may be sent a second time. */
  settledAt: Date | undefined;
  /** How far its news are told; undefined: not at all. */
  toldTo: Position | undefined;
  isFinished: boolean;
  messages: number;
  events: number;
};

type RecoveryRow = {
  since: Date;
  started_at: Date;
  last_seq: number;
  grants_after: Date;
  settled_at: Date | null;
  told_inbound_at: Date | null;
  told_wamid: string | null;
  next_message_id: string | null;
  finished_at: Date | null;
  messages: number;
  events: number;
};

function fromRow(row: RecoveryRow): Recovery {
  return {
    since: row.since,
    startedAt: row.started_at,
    lastSeq: row.last_seq,
    grantsAfter: row.grants_after,
    settledAt: row.settled_at ?? undefined,
    toldTo: toldToOf(row),
    isFinished: row.finished_at !== null,
    messages: row.messages,
    events: row.events,
  };
}

function toldToOf({
  told_inbound_at: at,
  told_wamid: wamid,
  next_message_id: least,
}: RecoveryRow): Position | undefined {
  if (least !== null) return { kind: "messages", least };
  return at === null || wamid === null ? undefined : { kind: "inbound", after: { at, wamid } };
}

const columns = `since, started_at, last_seq, grants_after, settled_at, told_inbound_at, told_wamid, next_message_id, finished_at,
  messages, events`;

/** Waits for everyone who holds a lease row, and keeps all others out until the transaction ends. */
export async function lockLeases(tx: Queryable): Promise<{ highestTerm: number; clock: Date }> {
  await tx.query({ name: "lock_leases", text: "lock table messages.leases in exclusive mode" });
  const { rows } = await tx.query<{ highest: number; clock: Date }>({
    name: "load_highest_term",
    text: "select coalesce(max(term), 0) as highest, clock_timestamp() as clock from messages.leases",
  });
  const [row] = rows;
  if (row === undefined) throw new Error("the highest term has one row");
  return { highestTerm: row.highest, clock: row.clock };
}

export async function loadRecovery(db: Queryable, since: Date): Promise<Recovery | undefined> {
  const { rows } = await db.query<RecoveryRow>({
    name: "load_recovery",
    text: `select ${columns} from messages.recoveries where since = $1`,
    values: [since],
  });
  return rows.map(fromRow)[0];
}

/** Held until the transaction ends, to tell of it; undefined if it is finished. */
export async function lockToTell(tx: Queryable, since: Date): Promise<Recovery | undefined> {
  const { rows } = await tx.query<RecoveryRow>({
    name: "lock_recovery_to_tell",
    text: `select ${columns} from messages.recoveries where since = $1 and finished_at is null for update`,
    values: [since],
  });
  return rows.map(fromRow)[0];
}

/** When those began of which news are left to be told, the earliest time of loss first. */
export async function findUntold(db: Queryable): Promise<Date[]> {
  const { rows } = await db.query<{ since: Date }>({
    name: "find_untold_recoveries",
    text: `
      select since from messages.recoveries
      where settled_at is not null and finished_at is null
      order by since`,
  });
  return rows.map(({ since }) => since);
}

type NewRecovery = { since: Date; now: Date; termsAbove: number; leaseMs: number };

export async function insertRecovery(
  tx: Queryable,
  { since, now, termsAbove, leaseMs }: NewRecovery,
): Promise<Recovery> {
  const { rows } = await tx.query<RecoveryRow>({
    name: "insert_recovery",
    text: `
      insert into messages.recoveries (since, started_at, last_seq, terms_above, grants_after, messages, events)
      select $1, $2, last_value, $3, clock_timestamp() + $4 * interval '1 ms', 0, 0
      from messages.message_seq
      returning ${columns}`,
    values: [since, now, termsAbove, leaseMs],
  });
  const [recovery] = rows.map(fromRow);
  if (recovery === undefined) throw new Error("an inserted recovery is returned");
  return recovery;
}

/** Ends every term, also those that were granted and forgotten. That a number is another's outlasts it. */
export async function endAllLeases(tx: Queryable, termsAbove: number): Promise<void> {
  await tx.query({
    name: "end_all_leases",
    text: `
      update messages.leases
      set term = $1, state = 'free', ended = 'recovered', proof = null, lapsed = false, standing = ${lastingStanding},
        rest_reason = '', rests_until = null, changed_in = pg_current_xact_id()`,
    values: [termsAbove],
  });
  await tx.query({ name: "delete_all_renewals", text: "delete from messages.lease_renewals" });
}

export async function findSending(tx: Queryable): Promise<string[]> {
  const { rows } = await tx.query<{ message_id: string }>({
    name: "find_sending",
    text: "select message_id from messages.messages where open_state = 'sending'",
  });
  return rows.map(({ message_id }) => message_id);
}

/**
 * Some of the messages that may have been sent without the ledger knowing; none when all are `unknown(ledger_lost)`. What was
 * unknown before comes first: it is the only one that does not leave its index when it is dealt with.
 */
export async function findPossiblySent(
  db: Queryable,
  { lastSeq, dueUntil, most }: { lastSeq: number; dueUntil: Date; most: number },
): Promise<string[]> {
  const { rows } = await db.query<{ message_id: string }>({
    name: "find_possibly_sent",
    text: `
      (
        select message_id from messages.messages
        where open_state in ('sending', 'unknown') and reason <> 'ledger_lost' and seq <= $1
        limit $3
      )
      union all
      (
        select message_id from messages.messages
        where open_state in ('accepted', 'waiting') and seq <= $1 and (state = 'accepted' or due_at <= $2)
        limit $3
      )
      limit $3`,
    values: [lastSeq, dueUntil, most],
  });
  return rows.map(({ message_id }) => message_id);
}

export async function saveSettled(tx: Queryable, since: Date, messages: number): Promise<void> {
  await tx.query({
    name: "save_recovered_messages",
    text: "update messages.recoveries set messages = messages + $2 where since = $1",
    values: [since, messages],
  });
}

/** Leases may be granted again, once the time is over. Settles also what was broken off before it: it went through all of that. */
export async function markSettled(db: Queryable, { startedAt, lastSeq }: Recovery, now: Date): Promise<void> {
  await db.query({
    name: "mark_recovery_settled",
    text: `
      update messages.recoveries
      set settled_at = $3
      where started_at <= $1 and last_seq <= $2 and settled_at is null`,
    values: [startedAt, lastSeq, now],
  });
}

/** `next` is undefined when all of it is told. */
export async function saveTold(
  tx: Queryable,
  { since, next, events, now }: { since: Date; next: Position | undefined; events: number; now: Date },
): Promise<Recovery> {
  const after = next?.kind === "inbound" ? next.after : undefined;
  const { rows } = await tx.query<RecoveryRow>({
    name: "save_recovery_told",
    text: `
      update messages.recoveries
      set told_inbound_at = coalesce($2, told_inbound_at), told_wamid = coalesce($3, told_wamid),
        next_message_id = coalesce($4, next_message_id), events = events + $5, finished_at = $6
      where since = $1
      returning ${columns}`,
    values: [
      since,
      after?.at ?? null,
      after?.wamid ?? null,
      next?.kind === "messages" ? next.least : null,
      events,
      next === undefined ? now : null,
    ],
  });
  const [recovery] = rows.map(fromRow);
  if (recovery === undefined) throw new Error(`recovery since ${since.toISOString()} vanished`);
  return recovery;
}

/** What bars a grant now. After the lease row was locked, so that a recovery which came first is seen. */
export async function loadStandstill(tx: Queryable): Promise<Standstill> {
  const { rows } = await tx.query<{ is_running: boolean; remaining_ms: number; terms_above: number }>({
    name: "load_standstill",
    text: `
      select
        coalesce(bool_or(settled_at is null), false) as is_running,
        coalesce(max(extract(epoch from grants_after - clock_timestamp())::float8 * 1000), 0) as remaining_ms,
        coalesce(max(terms_above), 0) as terms_above
      from messages.recoveries`,
  });
  const [row] = rows;
  if (row === undefined) throw new Error("a standstill has one row");
  return { isRunning: row.is_running, remainingMs: row.remaining_ms, termsAbove: row.terms_above };
}
