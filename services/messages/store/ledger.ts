// What a commit of the ledger reads and writes. Every statement takes the whole batch by `unnest`, rows are locked in the order
// of their keys, and message ids come with their bounds, so that a plan made once reads no partition but theirs.
import type { Queryable } from "#lib/postgres.ts";
import type { Message, NewMessage } from "../domain/accept.ts";
import type { ChangedMessage, HeldKey, IdempotencyKey, Unparsed } from "../domain/batch.ts";
import { keyOf } from "../domain/batch.ts";
import type { Contact, InboundMessage } from "../domain/inbound.ts";
import type { Lease } from "../domain/lease.ts";
import { toHistoryText } from "./history.ts";
import { fromRow, type MessageRow, messageColumns } from "./message-row.ts";

/** Holds the leases until the transaction ends: a change of hands waits for it, and it for a change of hands. */
export async function shareLeases(
  tx: Queryable,
  phoneNumberIds: readonly string[],
): Promise<Map<string, Pick<Lease, "term" | "state">>> {
  if (phoneNumberIds.length === 0) return new Map();
  const { rows } = await tx.query<{ phone_number_id: string; term: number; state: Lease["state"] }>({
    name: "share_leases",
    text: `
      select phone_number_id, term, state
      from messages.leases
      where phone_number_id = any ($1::text[])
      order by phone_number_id
      for share`,
    values: [phoneNumberIds],
  });
  return new Map(rows.map(({ phone_number_id, term, state }) => [phone_number_id, { term, state }]));
}

/** Holds the rows until the transaction ends. */
export async function lockMessages(tx: Queryable, messageIds: readonly string[]): Promise<Map<string, Message>> {
  if (messageIds.length === 0) return new Map();
  const { rows } = await tx.query<MessageRow>({
    name: "lock_messages",
    text: `
      select ${messageColumns}
      from messages.messages
      where message_id = any ($1::uuid[]) and message_id between $2 and $3
      order by message_id
      for update`,
    values: [messageIds, ...boundsOf(messageIds)],
  });
  return new Map(rows.map((row) => [row.message_id, fromRow(row)]));
}

export type KeyClaim = IdempotencyKey & { phoneNumberId: string; messageId: string; acceptedAt: Date };

// What is written along with the begin, before its answer, is written only inside that transaction: if Postgres refuses the begin
// (it was frozen, and the statement's time is over) it runs what follows by itself.
const isInBatch = "current_setting('heliograph.in_batch', true) = 'yes'";

/** First after the begin. It ends with the transaction; without one it ends at once. */
export async function markBatch(tx: Queryable): Promise<void> {
  await tx.query({ name: "mark_batch", text: "select set_config('heliograph.in_batch', 'yes', true)" });
}

/** Gives each key to its message, unless an earlier one has it that was accepted after `since`; answers with who has it now. */
export async function reserveKeys(
  tx: Queryable,
  claims: readonly KeyClaim[],
  since: Date,
): Promise<Map<string, HeldKey>> {
  if (claims.length === 0) return new Map();
  type Row = { phone_number_id: string; key: string; body_hash: string; message_id: string; created_at: Date };
  const { rows } = await tx.query<Row>({
    name: "reserve_keys",
    text: `
      insert into messages.idempotency_keys as held (phone_number_id, key, body_hash, message_id, created_at)
      select phone_number_id, key, decode(body_hash, 'hex'), message_id, created_at
      from unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::timestamptz[])
        as new (phone_number_id, key, body_hash, message_id, created_at)
      where ${isInBatch}
      order by phone_number_id, key
      on conflict (phone_number_id, key) do update set
        body_hash = case when held.created_at < $6 then excluded.body_hash else held.body_hash end,
        message_id = case when held.created_at < $6 then excluded.message_id else held.message_id end,
        created_at = case when held.created_at < $6 then excluded.created_at else held.created_at end
      returning phone_number_id, key, encode(body_hash, 'hex') as body_hash, message_id, created_at`,
    values: [
      claims.map(({ phoneNumberId }) => phoneNumberId),
      claims.map(({ key }) => key),
      claims.map(({ bodyHash }) => bodyHash),
      claims.map(({ messageId }) => messageId),
      claims.map(({ acceptedAt }) => acceptedAt),
      since,
    ],
  });
  return new Map(
    rows.map(({ phone_number_id, key, body_hash, message_id, created_at }) => [
      keyOf(phone_number_id, key),
      { bodyHash: body_hash, messageId: message_id, acceptedAt: created_at },
    ]),
  );
}

/** Stores inbound messages; answers with the ids of those that were not there yet. */
export async function insertInbound(
  tx: Queryable,
  inbound: readonly InboundMessage[],
  { isPassThrough, now }: { isPassThrough: (phoneNumberId: string) => boolean; now: Date },
): Promise<Set<string>> {
  if (inbound.length === 0) return new Set();
  const { rows } = await tx.query<{ wamid: string }>({
    name: "insert_inbound",
    text: `
      insert into messages.inbound
        (at, wamid, phone_number_id, wa_id, type, message_json, context_message_id, pass_through, received_at)
      select at, wamid, phone_number_id, wa_id, type, message_json, context_message_id, pass_through, $9
      from unnest(
        $1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::uuid[], $8::boolean[]
      ) as new (at, wamid, phone_number_id, wa_id, type, message_json, context_message_id, pass_through)
      where ${isInBatch}
      order by at, wamid
      on conflict do nothing
      returning wamid`,
    values: [
      inbound.map(({ at }) => at),
      inbound.map(({ wamid }) => wamid),
      inbound.map(({ phoneNumberId }) => phoneNumberId),
      inbound.map(({ from }) => from),
      inbound.map(({ type }) => type),
      inbound.map(({ messageJson }) => bytes(messageJson)),
      inbound.map(({ contextMessageId }) => contextMessageId ?? null),
      inbound.map(({ phoneNumberId }) => isPassThrough(phoneNumberId)),
      now,
    ],
  });
  return new Set(rows.map(({ wamid }) => wamid));
}

/** New rows, in the order given, which is the order of acceptance. */
export async function insertMessages(tx: Queryable, messages: readonly NewMessage[]): Promise<void> {
  if (messages.length === 0) return;
  await tx.query({
    name: "insert_messages",
    text: `
      insert into messages.messages (
        message_id, phone_number_id, recipient, lane, state, attempt, term, due_at, expires_at, category,
        template_name, template_language, campaign, client_callback_data, context_message_id, context_wamid, reason,
        accepted_at
      )
      select
        message_id, phone_number_id, recipient, lane, 'accepted', 0, 0, accepted_at, expires_at, category,
        template_name, template_language, campaign, client_callback_data, context_message_id, context_wamid, '',
        accepted_at
      from unnest(
        $1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::text[],
        $9::text[], $10::text[], $11::uuid[], $12::text[], $13::timestamptz[]
      ) with ordinality as new (
        message_id, phone_number_id, recipient, lane, expires_at, category, template_name, template_language, campaign, client_callback_data, context_message_id, context_wamid, accepted_at, position
      )
      order by position`,
    values: [
      messages.map(({ messageId }) => messageId),
      messages.map(({ phoneNumberId }) => phoneNumberId),
      messages.map(({ recipient }) => recipient),
      messages.map(({ lane }) => lane),
      messages.map(({ expiresAt }) => expiresAt),
      messages.map(({ category }) => category),
      messages.map(({ templateName }) => templateName),
      messages.map(({ templateLanguage }) => templateLanguage),
      messages.map(({ campaign }) => campaign),
      messages.map(({ clientCallbackData }) => clientCallbackData),
      messages.map(({ contextMessageId }) => contextMessageId ?? null),
      messages.map(({ contextWamid }) => contextWamid),
      messages.map(({ acceptedAt }) => acceptedAt),
    ],
  });
}

/** What new messages say. */
export async function insertContents(tx: Queryable, messages: readonly NewMessage[]): Promise<void> {
  if (messages.length === 0) return;
  await tx.query({
    name: "insert_contents",
    text: `
      insert into messages.contents (message_id, content)
      select message_id, content from unnest($1::uuid[], $2::bytea[]) as new (message_id, content)`,
    values: [messages.map(({ messageId }) => messageId), messages.map(({ content }) => bytes(content))],
  });
}

/** Forgets what these messages said. */
export async function deleteContents(tx: Queryable, messageIds: readonly string[]): Promise<void> {
  if (messageIds.length === 0) return;
  await tx.query({
    name: "delete_contents",
    text: "delete from messages.contents where message_id = any ($1::uuid[]) and message_id between $2 and $3",
    values: [messageIds, ...boundsOf(messageIds)],
  });
}

/** Writes how far locked messages have come. */
export async function updateMessages(tx: Queryable, changed: readonly ChangedMessage[]): Promise<void> {
  if (changed.length === 0) return;
  const messages = changed.map(({ message }) => message);
  const messageIds = messages.map(({ messageId }) => messageId);
  await tx.query({
    name: "update_messages",
    text: `
      update messages.messages as held set
        state = new.state, attempt = new.attempt, term = new.term, due_at = new.due_at, wamid = new.wamid,
        reason = new.reason, error = new.error, pricing = new.pricing, sending_at = new.sending_at,
        sent_at = new.sent_at, sent_news_at = new.sent_news_at, delivered_at = new.delivered_at,
        read_at = new.read_at, failed_at = new.failed_at, history = held.history || new.history
      from unnest(
        $1::uuid[], $2::text[], $3::integer[], $4::bigint[], $5::timestamptz[], $6::text[], $7::text[], $8::jsonb[],
        $9::jsonb[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],
        $14::timestamptz[], $15::timestamptz[], $16::text[]
      ) as new (
        message_id, state, attempt, term, due_at, wamid, reason, error, pricing, sending_at, sent_at, sent_news_at,
        delivered_at, read_at, failed_at, history
      )
      where held.message_id = new.message_id and held.message_id between $17 and $18`,
    values: [
      messageIds,
      messages.map(({ state }) => state),
      messages.map(({ attempt }) => attempt),
      messages.map(({ term }) => term),
      messages.map(({ dueAt }) => dueAt),
      messages.map(({ wamid }) => wamid ?? null),
      messages.map(({ reason }) => reason),
      messages.map(({ error }) => (error === undefined ? null : JSON.stringify(error))),
      messages.map(({ pricing }) => (pricing === undefined ? null : JSON.stringify(pricing))),
      messages.map(({ sendingAt }) => sendingAt ?? null),
      messages.map(({ sentAt }) => sentAt ?? null),
      messages.map(({ sentNewsAt }) => sentNewsAt ?? null),
      messages.map(({ deliveredAt }) => deliveredAt ?? null),
      messages.map(({ readAt }) => readAt ?? null),
      messages.map(({ failedAt }) => failedAt ?? null),
      changed.map(({ message, transitions }) => toHistoryText(transitions, message.acceptedAt)),
      ...boundsOf(messageIds),
    ],
  });
}

/** Contacts in the order of their keys, each once. A late message never sets the last inbound time back. */
export async function upsertContacts(tx: Queryable, contacts: readonly Contact[]): Promise<void> {
  if (contacts.length === 0) return;
  await tx.query({
    name: "upsert_contacts",
    text: `
      insert into messages.contacts as held (phone_number_id, wa_id, profile_name, last_inbound_at)
      select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
      on conflict (phone_number_id, wa_id) do update set
        profile_name = case when excluded.profile_name = '' then held.profile_name else excluded.profile_name end,
        last_inbound_at = greatest(held.last_inbound_at, excluded.last_inbound_at)`,
    values: [
      contacts.map(({ phoneNumberId }) => phoneNumberId),
      contacts.map(({ waId }) => waId),
      contacts.map(({ profileName }) => profileName),
      contacts.map(({ lastInboundAt }) => lastInboundAt ?? null),
    ],
  });
}

export async function insertUnparsed(tx: Queryable, unparsed: readonly Unparsed[], now: Date): Promise<void> {
  if (unparsed.length === 0) return;
  await tx.query({
    name: "insert_unparsed",
    text: `
      insert into messages.unparsed_updates (body, error, received_at)
      select body, error, $3 from unnest($1::bytea[], $2::text[]) as new (body, error)`,
    values: [unparsed.map(({ body }) => bytes(body)), unparsed.map(({ error }) => error), now],
  });
}

/** pg writes arrays of Buffer as bytea, of plain Uint8Array as something else. */
function bytes(content: Uint8Array): Buffer {
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength);
}

function boundsOf(messageIds: readonly string[]): [least: string, greatest: string] {
  let least = messageIds[0] ?? "";
  let greatest = least;
  for (const messageId of messageIds) {
    if (messageId < least) least = messageId;
    if (messageId > greatest) greatest = messageId;
  }
  return [least, greatest];
}
