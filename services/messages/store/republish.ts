// Rows of the ledger in the order of their keys, to make their events again.
import type { Queryable } from "#lib/postgres.ts";
import type { InboundMessage } from "../domain/inbound.ts";
import { fromTracedRow, type TracedMessage, type TracedRow, tracedColumns } from "./message-row.ts";

export async function loadMessagesFrom(
  db: Queryable,
  { least, below, most }: { least: string; below: string; most: number },
): Promise<TracedMessage[]> {
  const { rows } = await db.query<TracedRow>({
    name: "load_messages_from",
    text: `
      select ${tracedColumns}
      from messages.messages
      where message_id >= $1 and message_id < $2
      order by message_id
      limit $3`,
    values: [least, below, most],
  });
  return rows.map(fromTracedRow);
}

export type InboundPosition = { at: Date; wamid: string };

/** Where to go on: after an inbound message, or with the first of ours that is left. */
export type Position = { kind: "inbound"; after: InboundPosition } | { kind: "messages"; least: string };

/** `inbound` is undefined where what the user wrote is forgotten. */
export type StoredInbound = InboundPosition & { inbound: InboundMessage | undefined };

type InboundRow = {
  at: Date;
  wamid: string;
  phone_number_id: string;
  wa_id: string;
  type: string;
  message_json: Uint8Array | null;
  context_message_id: string | null;
  profile_name: string | null;
};

export async function loadInboundAfter(
  db: Queryable,
  { after, before, most }: { after: InboundPosition; before: Date; most: number },
): Promise<StoredInbound[]> {
  const { rows } = await db.query<InboundRow>({
    name: "load_inbound_after",
    text: `
      select
        inbound.at, inbound.wamid, inbound.phone_number_id, inbound.wa_id, inbound.type, inbound.message_json,
        inbound.context_message_id, contact.profile_name
      from messages.inbound as inbound
      left join messages.contacts as contact
        on contact.phone_number_id = inbound.phone_number_id and contact.wa_id = inbound.wa_id
      where (inbound.at, inbound.wamid) > ($1, $2) and inbound.at >= $1 and inbound.at < $3
      order by inbound.at, inbound.wamid
      limit $4`,
    values: [after.at, after.wamid, before, most],
  });
  return rows.map((row) => ({ at: row.at, wamid: row.wamid, inbound: fromInboundRow(row) }));
}

function fromInboundRow(row: InboundRow): InboundMessage | undefined {
  if (row.message_json === null) return undefined;
  return {
    phoneNumberId: row.phone_number_id,
    // The number's own stands in for it.
    wabaId: "",
    wamid: row.wamid,
    from: row.wa_id,
    profileName: row.profile_name ?? "",
    at: row.at,
    type: row.type,
    messageJson: row.message_json,
    contextMessageId: row.context_message_id ?? undefined,
  };
}

// A second of the publisher's work on a busy machine.
const roomInOutbox = 1_000;

/** Whether so many events wait that those of now would have to wait behind more of them. */
export async function isOutboxFull(db: Queryable): Promise<boolean> {
  const { rows } = await db.query({
    name: "is_outbox_full",
    text: "select from messages.outbox offset $1 limit 1",
    values: [roomInOutbox],
  });
  return rows.length > 0;
}
