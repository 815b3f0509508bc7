// What stands before messages that are not sent yet. Counted up to `most`, so that a page of them stays cheap beside a long queue.
import type { Queryable } from "#lib/postgres.ts";

export type QueueFacts = { aheadOfUser: number; isQuoteOfUnsent: boolean; aheadInLane: number };

/** By message id; only of those that are accepted or waiting. `floor` is the least message id that can be open. */
export async function loadQueueFacts(
  db: Queryable,
  messageIds: readonly string[],
  { now, floor, most }: { now: Date; floor: string; most: number },
): Promise<Map<string, QueueFacts>> {
  if (messageIds.length === 0) return new Map();
  type Row = { message_id: string; ahead_of_user: number; is_quote_of_unsent: boolean; ahead_in_lane: number };
  const { rows } = await db.query<Row>({
    name: "load_queue_facts",
    text: `
      select
        message.message_id,
        (
          select count(*)::integer from (
            select from messages.messages as earlier
            where earlier.recipient = message.recipient and earlier.message_id >= $3
              and earlier.phone_number_id = message.phone_number_id and earlier.lane = message.lane
              and earlier.open_state in ('accepted', 'waiting', 'sending') and earlier.seq < message.seq
            limit $4
          ) as first
        ) as ahead_of_user,
        message.context_message_id is not null and (
          select true from messages.messages as quoted
          where quoted.message_id = message.context_message_id and quoted.message_id >= $3
            and quoted.wamid is null and quoted.open_state is not null
          limit 1
        ) is not null as is_quote_of_unsent,
        (
          select count(*)::integer from (
            (
              select from messages.messages as earlier
              where earlier.phone_number_id = message.phone_number_id and earlier.lane = message.lane
                and earlier.open_state = 'accepted' and earlier.seq < message.seq and earlier.message_id >= $3
              limit $4
            )
            union all
            (
              select from messages.messages as earlier
              where earlier.phone_number_id = message.phone_number_id and earlier.lane = message.lane
                and earlier.open_state = 'waiting' and earlier.due_at <= $2 and earlier.seq < message.seq
                and earlier.message_id >= $3
              limit $4
            )
            limit $4
          ) as first
        ) as ahead_in_lane
      from messages.messages as message
      where message.message_id = any ($1::uuid[]) and message.message_id >= $3
        and message.open_state in ('accepted', 'waiting')`,
    values: [messageIds, now, floor, most],
  });
  return new Map(
    rows.map(({ message_id, ahead_of_user, is_quote_of_unsent, ahead_in_lane }) => [
      message_id,
      { aheadOfUser: ahead_of_user, isQuoteOfUnsent: is_quote_of_unsent, aheadInLane: ahead_in_lane },
    ]),
  );
}
