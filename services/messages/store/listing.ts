// Finding messages by their traits. One day at a time, so that a rare trait never holds a statement for long.
import type { Queryable } from "#lib/postgres.ts";
import type { Filter, IdRange } from "../domain/listing.ts";
import { fromTracedRow, type TracedMessage, type TracedRow, tracedColumns } from "./message-row.ts";

const traits = `
  ($3 = '' or phone_number_id = $3) and ($4 = '' or state = $4) and ($5 = '' or template_name = $5)
  and ($6 = '' or campaign = $6) and message_id >= $1 and message_id < $2`;

/** Newest first. Statements of their own for a recipient, who has an index, and for all. */
export async function findMessages(
  db: Queryable,
  filter: Filter,
  { least, below, most }: IdRange & { most: number },
): Promise<TracedMessage[]> {
  const { phoneNumberId, recipient, state, templateName, campaign } = filter;
  const values = [least, below, phoneNumberId, state, templateName, campaign, most];
  const { rows } = await db.query<TracedRow>(
    recipient === ""
      ? {
          name: "find_messages",
          text: `
            select ${tracedColumns} from messages.messages
            where ${traits}
            order by message_id desc
            limit $7`,
          values,
        }
      : {
          name: "find_messages_to",
          text: `
            select ${tracedColumns} from messages.messages
            where recipient = $8 and ${traits}
            order by message_id desc
            limit $7`,
          values: [...values, recipient],
        },
  );
  return rows.map(fromTracedRow);
}

/** Some messages of a campaign that are not yet on their way. In no order, which would lead over all rows of a day. */
export async function findQueuedOfCampaign(
  db: Queryable,
  asked: { phoneNumberId: string; campaign: string; acceptedBy: Date; most: number },
): Promise<string[]> {
  const { rows } = await db.query<{ message_id: string }>({
    name: "find_queued_of_campaign",
    text: `
      select message_id
      from messages.messages
      where phone_number_id = $1 and open_state = 'accepted' and campaign = $2 and accepted_at <= $3
      union all
      select message_id
      from messages.messages
      where phone_number_id = $1 and open_state = 'waiting' and campaign = $2 and accepted_at <= $3
      limit $4`,
    values: [asked.phoneNumberId, asked.campaign, asked.acceptedBy, asked.most],
  });
  return rows.map(({ message_id }) => message_id);
}
