// What a holder may send next. Reads only. `floor` is the least message id that can still be open: it keeps every statement
// from looking into the partitions of closed days (95 partitions, 100,000 queued: 0.3 ms with it, 2.3 ms without).
import type { Queryable } from "#lib/postgres.ts";
import type { Lane } from "../domain/accept.ts";
import type { Lease } from "../domain/lease.ts";

export type ClaimedRow = {
  message_id: string;
  /** The order of acceptance. */
  seq: number;
  attempt: number;
  lane: Lane;
  recipient: string;
  was_waiting: boolean;
  content: Uint8Array | null;
  category: string;
  accepted_at: Date;
  expires_at: Date;
  context_message_id: string | null;
  context_wamid: string;
  last_inbound_at: Date | null;
};

/** Of a `message` in a `lane`: nothing but time and its place in the order may stand in its way. */
const isQueued = `
  phone_number_id = $1 and lane = lane.name and expires_at > $2 and message_id >= $6
  and message_id not in (select unnest($3::uuid[]))`;

/** Its quoted message, if that is one of ours, has been sent. */
const isQuoteSent = `
  (
    context_message_id is null
    or (
      select true from messages.messages as quoted
      where quoted.message_id = message.context_message_id and quoted.message_id >= $6
        and quoted.wamid is null and quoted.open_state is not null
      limit 1
    ) is null
  )`;

const mayGo = `
  (
    select true from messages.messages as earlier
    where earlier.phone_number_id = $1 and earlier.recipient = message.recipient
      and earlier.lane = message.lane and earlier.open_state = 'waiting' and earlier.seq < message.seq
      and earlier.message_id >= $6
    order by earlier.seq
    limit 1
  ) is null
  and ${isQuoteSent}`;

const claimedColumns = `
  due.message_id, due.seq, due.attempt, due.lane, due.recipient, due.open_state = 'waiting' as was_waiting, said.content,
  due.category, due.accepted_at, due.expires_at, due.context_message_id, due.context_wamid, contact.last_inbound_at`;

const withContent = `
  left join messages.contents as said on said.message_id = due.message_id and said.message_id >= $6
  left join messages.contacts as contact
    on contact.phone_number_id = due.phone_number_id and contact.wa_id = due.recipient`;

/**
 * So many accepted messages of a lane are looked at in the order of acceptance: all of them may be behind one waiting message
 * (100,000 such rows: 0.3 s to look at).
 */
const windowRows = 300;

export type Claim = {
  phoneNumberId: string;
  heldMessageIds: readonly string[];
  replyLimit: number;
  bulkLimit: number;
  now: Date;
  floor: string;
};

/**
 * Due messages, reply lane first, each lane in the order of acceptance: what is accepted by its index in that order, of which a
 * window is looked at, beside what waited and is due, by the one of due times, which also keeps what is not due yet from being
 * read. Left out: what the caller holds, what comes after a waiting message to the same user in its lane, and quotes of a message
 * of ours that has not been sent yet. The conditions are values, not `exists`: those the planner turns into joins that read all
 * that waits, or all of a day; their order makes it take the index of that order, also while nearly nothing waits.
 */
export async function claimMessages(db: Queryable, claim: Claim): Promise<ClaimedRow[]> {
  const { phoneNumberId, heldMessageIds, replyLimit, bulkLimit, now, floor } = claim;
  const { rows } = await db.query<ClaimedRow>({
    name: "claim_messages",
    text: `
      select ${claimedColumns}
      from (values ('reply', $4::integer), ('bulk', $5::integer)) as lane (name, most)
      cross join lateral (
        (
          select * from messages.messages as message
          where open_state = 'waiting' and due_at <= $2 and ${isQueued} and ${mayGo}
          order by due_at
          limit lane.most
        )
        union all
        (
          select * from (
            select * from messages.messages
            where open_state = 'accepted' and ${isQueued}
            order by seq
            limit ${windowRows}
          ) as message
          where ${mayGo}
          order by seq
          limit lane.most
        )
        order by seq
        limit lane.most
      ) as due
      ${withContent}
      order by due.lane desc, due.seq`,
    values: [phoneNumberId, now, heldMessageIds, replyLimit, bulkLimit, floor],
  });
  return rows;
}

/** A walk through the users of a lane: behind which one it begins, and how many messages are asked for. */
type UserWalk = { lane: Lane; after: string; most: number };

/** `next`: behind which user the walk goes on; undefined: it came to the last one. */
type Walked = { rows: ClaimedRow[]; next: string | undefined };

// As in the index of users, and in no other: the planner would take one that has all messages of a user, or of the lane.
const inTurn = 'recipient collate "C"';

/** Users looked at in one walk, and messages of each. */
const walkUsers = 100;
const rowsOfUser = 20;

/**
 * What the window of `claimMessages` does not reach, since it is full of messages that may not go: the users who have accepted
 * messages, in the order of their numbers, and of each those before the first that waits, in the order of acceptance.
 */
export async function claimOfUsers(db: Queryable, claim: Claim, { lane, after, most }: UserWalk): Promise<Walked> {
  const { phoneNumberId, heldMessageIds, now, floor } = claim;
  const nextUser = `
    select recipient from messages.messages
    where phone_number_id = $1 and lane = $4 and open_state = 'accepted' and message_id >= $6`;
  type Row = { visited: number; last: string | null } & (ClaimedRow | { message_id: null });
  const { rows } = await db.query<Row>({
    name: "claim_of_users",
    text: `
      with recursive users (recipient, at) as (
        (select recipient, 1 from (${nextUser} and ${inTurn} > $7 order by ${inTurn}, seq limit 1) as first)
        union all
        select next.recipient, users.at + 1
        from users
        cross join lateral (${nextUser} and ${inTurn} > users.recipient order by ${inTurn}, seq limit 1) as next
        where users.at < ${walkUsers}
      )
      select walk.visited, walk.last, ${claimedColumns}
      from (select count(*)::integer as visited, max(${inTurn}) as last from users) as walk
      left join lateral (
        select message.*
        from users
        cross join (values ($4::text)) as lane (name)
        cross join lateral (
          select * from messages.messages
          where open_state = 'accepted' and ${isQueued}
            and (${inTurn}, seq) >= (users.recipient, 0)
            and (${inTurn}, seq) < (users.recipient, coalesce(
              (
                select earlier.seq from messages.messages as earlier
                where earlier.phone_number_id = $1 and earlier.recipient = users.recipient
                  and earlier.lane = $4 and earlier.open_state = 'waiting' and earlier.message_id >= $6
                order by earlier.seq
                limit 1
              ),
              9223372036854775807
            ))
          order by ${inTurn}, seq
          limit ${rowsOfUser}
        ) as message
        where ${isQuoteSent}
        order by users.${inTurn}, message.seq
        limit $5
      ) as due on true
      ${withContent}
      order by due.${inTurn}, due.seq`,
    values: [phoneNumberId, now, heldMessageIds, lane, most, floor, after],
  });
  const found = rows.filter((row) => row.message_id !== null);
  const [walk] = rows;
  if (found.length >= most) return { rows: found, next: found.at(-1)?.recipient };
  return { rows: found, next: walk?.visited === walkUsers ? (walk.last ?? undefined) : undefined };
}

export type ClaimFrame = {
  lease: Pick<Lease, "term" | "state"> | undefined;
  nextDueAt: Date | undefined;
  /** Lanes with more accepted messages than a claim looks at in their order. */
  longLanes: readonly Lane[];
  /** Due quotes are there. They may wait for the message they quote, and nobody says when that is sent. */
  hasDueQuotes: boolean;
};

/** What surrounds a claim: whose it is, and when to claim again. */
export async function loadClaimFrame(
  db: Queryable,
  { phoneNumberId, now, floor }: Pick<Claim, "phoneNumberId" | "now" | "floor">,
): Promise<ClaimFrame> {
  type Row = {
    term: number | null;
    state: Lease["state"] | null;
    next_due_at: Date | null;
    long_lanes: Lane[];
    has_due_quotes: boolean;
  };
  const { rows } = await db.query<Row>({
    name: "load_claim_frame",
    text: `
      select
        lease.term, lease.state,
        (
          select min(first.due_at)
          from (values ('reply'), ('bulk')) as lane (name)
          cross join lateral (
            select due_at
            from messages.messages
            where phone_number_id = $1 and lane = lane.name and open_state = 'waiting' and due_at > $2
              and message_id >= $3
            order by due_at
            limit 1
          ) as first
        ) as next_due_at,
        array(
          select lane.name
          from (values ('reply'), ('bulk')) as lane (name)
          cross join lateral (
            select
            from messages.messages
            where phone_number_id = $1 and lane = lane.name and open_state = 'accepted' and message_id >= $3
            order by seq
            offset ${windowRows}
            limit 1
          ) as beyond
        ) as long_lanes,
        exists (
          select from messages.messages
          where phone_number_id = $1 and open_state in ('accepted', 'waiting') and context_message_id is not null
            and due_at <= $2 and message_id >= $3
        ) as has_due_quotes
      from (values (1)) as one
      left join messages.leases as lease on lease.phone_number_id = $1`,
    values: [phoneNumberId, now, floor],
  });
  const [row] = rows;
  if (row === undefined) throw new Error("a claim's frame has one row");
  const { term, state, next_due_at, long_lanes, has_due_quotes } = row;
  return {
    lease: term === null || state === null ? undefined : { term, state },
    nextDueAt: next_due_at ?? undefined,
    longLanes: long_lanes,
    hasDueQuotes: has_due_quotes,
  };
}

/** WhatsApp's ids of messages of ours, where it is known. */
export async function loadWamids(db: Queryable, messageIds: readonly string[]): Promise<Map<string, string>> {
  if (messageIds.length === 0) return new Map();
  const { rows } = await db.query<{ message_id: string; wamid: string }>({
    name: "load_wamids",
    text: `
      select message_id, wamid
      from messages.messages
      where message_id = any ($1::uuid[]) and wamid is not null`,
    values: [messageIds],
  });
  return new Map(rows.map(({ message_id, wamid }) => [message_id, wamid]));
}

/** Messages that wait for the number, counted up to `most`. Without a floor, which would lead over all rows since then. */
export async function countQueued(db: Queryable, phoneNumberId: string, most: number): Promise<number> {
  const { rows } = await db.query<{ queued: number }>({
    name: "count_queued",
    text: `
      select count(*)::integer as queued
      from (
        (select from messages.messages where phone_number_id = $1 and open_state = 'accepted' limit $2)
        union all
        (select from messages.messages where phone_number_id = $1 and open_state = 'waiting' limit $2)
        limit $2
      ) as waiting`,
    values: [phoneNumberId, most],
  });
  return rows[0]?.queued ?? 0;
}
