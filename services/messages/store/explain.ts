// What surrounds a message that is not there yet: what waits before it, and what its users wrote. Reads only.
import type { Queryable } from "#lib/postgres.ts";
import type { Lane } from "../domain/accept.ts";

type Asked = { phoneNumberId: string; now: Date };

/** Messages of each lane that could go now, counted up to `most`. */
export async function countDue(
  db: Queryable,
  { phoneNumberId, now, most }: Asked & { most: number },
): Promise<Record<Lane, number>> {
  const { rows } = await db.query<{ lane: Lane; due: number }>({
    name: "count_due",
    text: `
      select lane.name as lane, (
        select count(*)::integer
        from (
          (
            select from messages.messages
            where phone_number_id = $1 and lane = lane.name and open_state = 'accepted'
            limit $3
          )
          union all
          (
            select from messages.messages
            where phone_number_id = $1 and lane = lane.name and open_state = 'waiting' and due_at <= $2
            limit $3
          )
          limit $3
        ) as waiting
      ) as due
      from (values ('reply'), ('bulk')) as lane (name)`,
    values: [phoneNumberId, now, most],
  });
  const count = (name: Lane): number => rows.find(({ lane }) => lane === name)?.due ?? 0;
  return { reply: count("reply"), bulk: count("bulk") };
}

/** When each user wrote to the number last; those who never did are missing. */
export async function loadLastInbound(
  db: Queryable,
  phoneNumberId: string,
  userIds: readonly string[],
): Promise<Map<string, Date>> {
  const { rows } = await db.query<{ wa_id: string; last_inbound_at: Date }>({
    name: "load_last_inbound",
    text: `
      select wa_id, last_inbound_at
      from messages.contacts
      where phone_number_id = $1 and wa_id = any ($2::text[]) and last_inbound_at is not null`,
    values: [phoneNumberId, userIds],
  });
  return new Map(rows.map(({ wa_id, last_inbound_at }) => [wa_id, last_inbound_at]));
}

type RecipientWait = { recipient: string; lane: Lane; until: Date };

/** Users for whom a message waits in a lane: what comes after it goes after it. */
export async function loadRecipientWaits(
  db: Queryable,
  { phoneNumberId, recipients, now, floor }: Asked & { recipients: readonly string[]; floor: string },
): Promise<RecipientWait[]> {
  const { rows } = await db.query<RecipientWait>({
    name: "load_recipient_waits",
    text: `
      select recipient, lane, max(due_at) as until
      from messages.messages
      where phone_number_id = $1 and recipient = any ($2::text[]) and open_state = 'waiting' and due_at > $3
        and message_id >= $4
      group by recipient, lane`,
    values: [phoneNumberId, recipients, now, floor],
  });
  return rows;
}
