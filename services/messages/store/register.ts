// The register of accounts and numbers. Removed numbers stay as rows, see the migration.
import type { Queryable } from "#lib/postgres.ts";
import type { LeaseCause, ToldStanding } from "../domain/lease.ts";
import type { NumberSpec, PhoneNumber } from "../domain/number.ts";

export async function upsertAccount(db: Queryable, account: { wabaId: string; name: string }): Promise<void> {
  await db.query({
    name: "upsert_account",
    text: `
      insert into messages.accounts (waba_id, name) values ($1, $2)
      on conflict (waba_id) do update set name = excluded.name`,
    values: [account.wabaId, account.name],
  });
}

export async function hasAccount(db: Queryable, wabaId: string): Promise<boolean> {
  const { rows } = await db.query({
    name: "has_account",
    text: "select 1 from messages.accounts where waba_id = $1",
    values: [wabaId],
  });
  return rows.length > 0;
}

type NumberRow = {
  phone_number_id: string;
  waba_id: string;
  display_phone_number: string;
  name: string;
  messages_per_second: number;
  unknown_policy: NumberSpec["unknownPolicy"];
  unknown_timeout_seconds: number;
  queue_limit: number;
  default_ttl_seconds: number;
  content_policy: NumberSpec["contentPolicy"];
  generation: number;
  removed_at: Date | null;
};

const numberColumns = `
  phone_number_id, waba_id, display_phone_number, name, messages_per_second, unknown_policy, unknown_timeout_seconds,
  queue_limit, default_ttl_seconds, content_policy, generation, removed_at`;

export type NumberRecord = { number: PhoneNumber; generation: number; isRemoved: boolean };

function fromRow(row: NumberRow): NumberRecord {
  return {
    generation: row.generation,
    isRemoved: row.removed_at !== null,
    number: {
      phoneNumberId: row.phone_number_id,
      wabaId: row.waba_id,
      displayPhoneNumber: row.display_phone_number,
      name: row.name,
      spec: {
        messagesPerSecond: row.messages_per_second,
        unknownPolicy: row.unknown_policy,
        unknownTimeoutSeconds: row.unknown_timeout_seconds,
        queueLimit: row.queue_limit,
        defaultTtlSeconds: row.default_ttl_seconds,
        contentPolicy: row.content_policy,
      },
    },
  };
}

/** Holds the row until the transaction ends. */
export async function lockNumber(tx: Queryable, phoneNumberId: string): Promise<NumberRecord | undefined> {
  const { rows } = await tx.query<NumberRow>({
    name: "lock_number",
    text: `select ${numberColumns} from messages.numbers where phone_number_id = $1 for update`,
    values: [phoneNumberId],
  });
  return rows.map(fromRow)[0];
}

/**
 * Answers with the declaration's generation, which counts its changes.
 * Throws a violation of numbers_display_phone_number if another number has that phone number.
 */
export async function saveNumber(tx: Queryable, number: PhoneNumber): Promise<number> {
  const { spec } = number;
  const { rows } = await tx.query<{ generation: number }>({
    name: "save_number",
    text: `
      insert into messages.numbers as held (
        phone_number_id, waba_id, display_phone_number, name, messages_per_second, unknown_policy,
        unknown_timeout_seconds, queue_limit, default_ttl_seconds, content_policy, generation
      )
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1)
      on conflict (phone_number_id) do update set
        waba_id = excluded.waba_id, display_phone_number = excluded.display_phone_number, name = excluded.name,
        messages_per_second = excluded.messages_per_second, unknown_policy = excluded.unknown_policy,
        unknown_timeout_seconds = excluded.unknown_timeout_seconds, queue_limit = excluded.queue_limit,
        default_ttl_seconds = excluded.default_ttl_seconds, content_policy = excluded.content_policy,
        generation = held.generation + 1, removed_at = null, changed_in = pg_current_xact_id()
      returning generation`,
    values: [
      number.phoneNumberId,
      number.wabaId,
      number.displayPhoneNumber,
      number.name,
      spec.messagesPerSecond,
      spec.unknownPolicy,
      spec.unknownTimeoutSeconds,
      spec.queueLimit,
      spec.defaultTtlSeconds,
      spec.contentPolicy,
    ],
  });
  return rows[0]?.generation ?? 1;
}

/** Undefined if no such number is declared. */
export async function saveRemoval(tx: Queryable, phoneNumberId: string, now: Date): Promise<NumberRecord | undefined> {
  const { rows } = await tx.query<NumberRow>({
    name: "save_removal",
    text: `
      update messages.numbers
      set removed_at = $2, generation = generation + 1, changed_in = pg_current_xact_id()
      where phone_number_id = $1 and removed_at is null
      returning ${numberColumns}`,
    values: [phoneNumberId, now],
  });
  return rows.map(fromRow)[0];
}

/** A number's present holder, as the register shows it. */
export type ConnectionRecord = ToldStanding & {
  phoneNumberId: string;
  term: number;
  epoch: number;
  holder: string;
  address: string;
  connected: boolean;
  /** Its time ran out, and nobody gave it back. */
  lapsed: boolean;
  cause: LeaseCause;
  grantedAt: Date;
  /** When WhatsApp was first known to have the number registered from here; undefined: never. */
  registeredSeenAt: Date | undefined;
};

type ConnectionRow = {
  phone_number_id: string;
  term: number;
  epoch: number;
  holder: string;
  address: string;
  connected: boolean;
  lapsed: boolean;
  standing: string;
  rest_reason: string;
  rests_until: Date | null;
  cause: LeaseCause;
  granted_at: Date;
  registered_seen_at: Date | null;
};

const connectionColumns = `
  phone_number_id, term, epoch, holder, address, state <> 'free' and not lapsed as connected,
  state <> 'free' and lapsed as lapsed, standing, rest_reason, rests_until, cause, granted_at, registered_seen_at`;

export async function loadConnection(db: Queryable, phoneNumberId: string): Promise<ConnectionRecord | undefined> {
  const { rows } = await db.query<ConnectionRow>({
    name: "load_connection",
    text: `select ${connectionColumns} from messages.leases where phone_number_id = $1 and holder <> ''`,
    values: [phoneNumberId],
  });
  return rows.map(fromConnectionRow)[0];
}

export type Changes = {
  numbers: NumberRecord[];
  connections: ConnectionRecord[];
  /** Ask for changes from here the next time. */
  horizon: string;
};

/** "0" reads all. Some rows come again: all that a transaction running now may have written. */
export async function loadChanges(db: Queryable, horizon: string): Promise<Changes> {
  // The horizon is taken first: what commits after it is read again, never missed.
  const { rows: horizons } = await db.query<{ horizon: string }>({
    name: "load_horizon",
    text: "select pg_snapshot_xmin(pg_current_snapshot())::text as horizon",
  });
  const { rows: numbers } = await db.query<NumberRow>({
    name: "load_changed_numbers",
    text: `select ${numberColumns} from messages.numbers where changed_in >= $1::text::xid8`,
    values: [horizon],
  });
  const { rows: connections } = await db.query<ConnectionRow>({
    name: "load_changed_connections",
    text: `
      select ${connectionColumns}
      from messages.leases
      where changed_in >= $1::text::xid8 and holder <> ''`,
    values: [horizon],
  });
  return {
    horizon: horizons[0]?.horizon ?? horizon,
    numbers: numbers.map(fromRow),
    connections: connections.map(fromConnectionRow),
  };
}

function fromConnectionRow(row: ConnectionRow): ConnectionRecord {
  const { phone_number_id, granted_at, rest_reason, rests_until, registered_seen_at, ...rest } = row;
  return {
    ...rest,
    restReason: rest_reason,
    restsUntil: rests_until ?? undefined,
    phoneNumberId: phone_number_id,
    grantedAt: granted_at,
    registeredSeenAt: registered_seen_at ?? undefined,
  };
}
