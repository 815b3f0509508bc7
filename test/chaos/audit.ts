// A record that the ledger cannot bend: triggers note each transition of a message with the term that the lease had in that very
// transaction, and each grant of a lease.
import pg from "pg";
import { z } from "zod";

export type Transition = {
  messageId: string;
  at: Date;
  from: string | null;
  to: string;
  attempt: number;
  term: number;
  reason: string;
  phoneNumberId: string;
  /** Of the number's lease as that transaction saw it; Begin holds the lease's row, so it cannot change before its commit. */
  leaseTerm: number;
};
export type Grant = { phoneNumberId: string; term: number; holder: string; cause: string; at: Date };
export type Audit = { transitions: Transition[]; grants: Grant[] };

const install = `
  create schema chaos;
  create table chaos.transitions (
    seq bigint generated always as identity, message_id text, at timestamptz, from_state text, to_state text,
    attempt integer, term bigint, reason text, phone_number_id text, lease_term bigint
  );
  create table chaos.grants (
    seq bigint generated always as identity, phone_number_id text, term bigint, holder text, cause text, at timestamptz
  );
  create function chaos.note_transition() returns trigger language plpgsql as $$
  begin
    if tg_op = 'INSERT' or old.state <> new.state or old.attempt <> new.attempt or old.term <> new.term then
      insert into chaos.transitions
        (message_id, at, from_state, to_state, attempt, term, reason, phone_number_id, lease_term)
      values (
        new.message_id, clock_timestamp(), case when tg_op = 'UPDATE' then old.state end, new.state, new.attempt, new.term,
        new.reason, new.phone_number_id,
        coalesce((select term from messages.leases where phone_number_id = new.phone_number_id), 0)
      );
    end if;
    return null;
  end $$;
  create function chaos.note_grant() returns trigger language plpgsql as $$
  begin
    if new.term <> old.term then
      insert into chaos.grants (phone_number_id, term, holder, cause, at)
      values (new.phone_number_id, new.term, new.holder, new.cause, clock_timestamp());
    end if;
    return null;
  end $$;
  create trigger chaos_transition after insert or update on messages.messages
    for each row execute function chaos.note_transition();
  create trigger chaos_grant after update on messages.leases for each row execute function chaos.note_grant();
`;

export async function installAudit(databaseUrl: string): Promise<void> {
  await withClient(databaseUrl, (client) => client.query(install));
}

const transitionRow = z.object({
  messageId: z.string(),
  at: z.date(),
  from: z.string().nullable(),
  to: z.string(),
  attempt: z.number(),
  term: z.coerce.number(),
  reason: z.string(),
  phoneNumberId: z.string(),
  leaseTerm: z.coerce.number(),
});
const grantRow = z.object({
  phoneNumberId: z.string(),
  term: z.coerce.number(),
  holder: z.string(),
  cause: z.string(),
  at: z.date(),
});

/** Both in the order in which they were written. */
export function readAudit(databaseUrl: string): Promise<Audit> {
  return withClient(databaseUrl, async (client) => {
    const transitions = await client.query(`
      select message_id as "messageId", at, from_state as "from", to_state as "to", attempt, term, reason,
        phone_number_id as "phoneNumberId", lease_term as "leaseTerm"
      from chaos.transitions order by seq`);
    const grants = await client.query(
      `select phone_number_id as "phoneNumberId", term, holder, cause, at from chaos.grants order by seq`,
    );
    return {
      transitions: z.array(transitionRow).parse(transitions.rows),
      grants: z.array(grantRow).parse(grants.rows),
    };
  });
}

async function withClient<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
