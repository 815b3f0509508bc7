// The SQL of deliveries on their way: inserted, claimed, saved. Claims run by Postgres' clock, all other times are arguments.
import type { Queryable } from "#lib/postgres.ts";

export type NewDelivery = {
  subscriptionId: number;
  eventId: string;
  orderKey: string;
  body: Buffer;
  /** How long it is claimed by the process that inserts it; undefined leaves it to whoever has room. */
  leaseMs: number | undefined;
};

type Inserted = {
  /** Of what was given. */
  position: number;
  deliveryId: number;
  /** The last one of the same key that waited already. It is not due before that one. */
  predecessorId: number | undefined;
};

/** Each event once per subscription: those that were there already are not returned. The order given is the order of the ids. */
export async function insertDeliveries(
  db: Queryable,
  news: readonly NewDelivery[],
  claimId: string,
  now: Date,
): Promise<Inserted[]> {
  const { rows } = await db.query<{ position: number; delivery_id: number; predecessor_id: number | null }>({
    name: "insert_deliveries",
    text: `
      with news as materialized (
        select n.*, p.delivery_id as predecessor_id, p.due_at as predecessor_due_at
        from unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::integer[]) with ordinality
          as n (subscription_id, event_id, order_key, body, lease_ms, position)
        left join lateral (
          select w.delivery_id, w.due_at
          from webhooks.deliveries w
          where w.subscription_id = n.subscription_id and w.order_key = n.order_key and w.state = 'waiting'
          order by w.delivery_id desc
          limit 1
        ) p on true
      ), inserted as (
        insert into webhooks.deliveries (subscription_id, event_id, order_key, body, state, attempts, due_at, claimed_until,
          claim_id, created_at)
        select subscription_id, event_id, order_key, body, 'waiting', case when lease_ms is null then 0 else 1 end,
          greatest($6, predecessor_due_at), clock_timestamp() + lease_ms * interval '1 millisecond',
          case when lease_ms is not null then $7::uuid end, $6
        from news
        order by position
        on conflict (subscription_id, event_id) do nothing
        returning subscription_id, event_id, delivery_id
      )
      select news.position - 1 as position, inserted.delivery_id, news.predecessor_id
      from inserted
      join news using (subscription_id, event_id)
      order by news.position`,
    values: [
      news.map(({ subscriptionId }) => subscriptionId),
      news.map(({ eventId }) => eventId),
      news.map(({ orderKey }) => orderKey),
      news.map(({ body }) => body),
      news.map(({ leaseMs }) => leaseMs ?? null),
      now,
      claimId,
    ],
  });
  return rows.map((row) => ({
    position: row.position,
    deliveryId: row.delivery_id,
    predecessorId: row.predecessor_id ?? undefined,
  }));
}

/** How much an endpoint can take. */
export type Room = { subscriptionId: number; room: number; leaseMs: number };

export type Claimed = {
  subscriptionId: number;
  deliveryId: number;
  eventId: string;
  orderKey: string;
  body: Buffer;
  /** The number of the attempt that the claim is for. */
  attempt: number;
  claimId: string;
  createdAt: Date;
};

type ClaimedRow = {
  subscription_id: number;
  delivery_id: number;
  event_id: string;
  order_key: string;
  body: Buffer;
  attempts: number;
  created_at: Date;
};

type Claim = {
  claimId: string;
  /** Earlier claims that nobody holds, since their answer was lost. What they took counts as free, its attempt as not made. */
  lostClaimIds: readonly string[];
};

/** What is due, longest due first, of each key the oldest only. What another process holds is left to it until its claim ends. */
export async function claimDeliveries(
  db: Queryable,
  rooms: readonly Room[],
  { claimId, lostClaimIds }: Claim,
  now: Date,
): Promise<Claimed[]> {
  // The scalar subquery, not "not exists": that becomes an anti-join, which may read all that waits.
  const { rows } = await db.query<ClaimedRow>({
    name: "claim_deliveries",
    text: `
      with due as materialized (
        select head.subscription_id, head.delivery_id, head.is_lost, r.lease_ms
        from unnest($1::bigint[], $2::integer[], $3::integer[]) as r (subscription_id, room, lease_ms)
        cross join lateral (
          select d.subscription_id, d.delivery_id, d.claimed_until is not null and d.claim_id = any ($6::uuid[]) as is_lost
          from webhooks.deliveries d
          where d.subscription_id = r.subscription_id and d.state = 'waiting' and d.due_at <= $4
            and (d.claimed_until is null or d.claimed_until < clock_timestamp() or d.claim_id = any ($6::uuid[]))
            and d.delivery_id = (
              select min(e.delivery_id)
              from webhooks.deliveries e
              where e.subscription_id = d.subscription_id and e.order_key = d.order_key and e.state = 'waiting')
          order by d.due_at, d.delivery_id
          limit r.room
          for update skip locked
        ) head
      )
      update webhooks.deliveries d
      set attempts = d.attempts + case when due.is_lost then 0 else 1 end,
        claimed_until = clock_timestamp() + due.lease_ms * interval '1 millisecond', claim_id = $5
      from due
      where d.subscription_id = due.subscription_id and d.delivery_id = due.delivery_id
      returning d.subscription_id, d.delivery_id, d.event_id, d.order_key, d.body, d.attempts, d.created_at`,
    values: [
      rooms.map(({ subscriptionId }) => subscriptionId),
      rooms.map(({ room }) => room),
      rooms.map(({ leaseMs }) => leaseMs),
      now,
      claimId,
      lostClaimIds,
    ],
  });
  return rows.map((row) => ({
    subscriptionId: row.subscription_id,
    deliveryId: row.delivery_id,
    eventId: row.event_id,
    orderKey: row.order_key,
    body: row.body,
    attempt: row.attempts,
    claimId,
    createdAt: row.created_at,
  }));
}

/** By subscription: when the next of its deliveries becomes due, after now. Those without one are left out. */
export async function loadNextDue(
  db: Queryable,
  subscriptionIds: readonly number[],
  now: Date,
): Promise<Map<number, Date>> {
  const { rows } = await db.query<{ subscription_id: number; due_at: Date }>({
    name: "load_next_due",
    text: `
      select s.subscription_id, next.due_at
      from unnest($1::bigint[]) as s (subscription_id)
      cross join lateral (
        select d.due_at
        from webhooks.deliveries d
        where d.subscription_id = s.subscription_id and d.state = 'waiting' and d.due_at > $2
        order by d.due_at
        limit 1
      ) next`,
    values: [subscriptionIds, now],
  });
  return new Map(rows.map(({ subscription_id: subscriptionId, due_at: dueAt }) => [subscriptionId, dueAt]));
}

type DeliveryKey = { subscriptionId: number; deliveryId: number };

/** An update locks its rows in the order of its arrays, as long as it looks them up one by one. */
function inKeyOrder<Row extends DeliveryKey>(rows: readonly Row[]): Row[] {
  return rows.toSorted((a, b) => a.subscriptionId - b.subscriptionId || a.deliveryId - b.deliveryId);
}

export type Delivered = { subscriptionId: number; deliveryId: number; finishedAt: Date };

/** A success is a fact, whoever holds the delivery by now. */
export async function markDelivered(db: Queryable, delivered: readonly Delivered[]): Promise<void> {
  const sorted = inKeyOrder(delivered);
  await db.query({
    name: "mark_delivered",
    text: `
      update webhooks.deliveries d
      set state = 'delivered', claimed_until = null, finished_at = done.finished_at
      from unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) as done (subscription_id, delivery_id, finished_at)
      where d.subscription_id = done.subscription_id and d.delivery_id = done.delivery_id and d.state = 'waiting'`,
    values: [
      sorted.map(({ subscriptionId }) => subscriptionId),
      sorted.map(({ deliveryId }) => deliveryId),
      sorted.map(({ finishedAt }) => finishedAt),
    ],
  });
}

export type Failed = {
  subscriptionId: number;
  deliveryId: number;
  attempt: number;
  failedAt: Date;
  status: number | undefined;
  reason: string;
  /** Undefined: it is dead. */
  dueAt: Date | undefined;
};

/** An attempt that is not the row's any more changes nothing. What follows in order waits as long as the one that failed. */
export async function saveFailures(db: Queryable, failed: readonly Failed[]): Promise<void> {
  const sorted = inKeyOrder(failed);
  await db.query({
    name: "save_failures",
    text: `
      with failed as materialized (
        select *
        from unnest($1::bigint[], $2::bigint[], $3::integer[], $4::timestamptz[], $5::integer[], $6::text[], $7::timestamptz[])
          as f (subscription_id, delivery_id, attempt, failed_at, status, reason, due_at)
      ), moved as (
        update webhooks.deliveries d
        set state = case when f.due_at is null then 'dead' else 'waiting' end, due_at = coalesce(f.due_at, d.due_at),
          finished_at = case when f.due_at is null then f.failed_at end, claimed_until = null, last_failure = f.reason
        from failed f
        where d.subscription_id = f.subscription_id and d.delivery_id = f.delivery_id and d.attempts = f.attempt
          and d.state = 'waiting'
        returning d.subscription_id, d.delivery_id, d.order_key, f.attempt, f.failed_at, f.status, f.reason,
          f.due_at
      ), recorded as (
        insert into webhooks.failed_attempts (subscription_id, delivery_id, attempt, failed_at, status, reason)
        select subscription_id, delivery_id, attempt, failed_at, status, reason from moved
        on conflict do nothing
      )
      update webhooks.deliveries d
      set due_at = m.due_at
      from moved m
      where d.subscription_id = m.subscription_id and d.order_key = m.order_key and d.state = 'waiting'
        and d.delivery_id > m.delivery_id and d.due_at < m.due_at`,
    values: [
      sorted.map(({ subscriptionId }) => subscriptionId),
      sorted.map(({ deliveryId }) => deliveryId),
      sorted.map(({ attempt }) => attempt),
      sorted.map(({ failedAt }) => failedAt),
      sorted.map(({ status }) => status ?? null),
      sorted.map(({ reason }) => reason),
      sorted.map(({ dueAt }) => dueAt ?? null),
    ],
  });
}

export type Released = { subscriptionId: number; deliveryId: number; claimId: string };

/** Gives claims back unused: the attempt was not made. By the claim's id, so that a repeat never frees what another holds by now. */
export async function releaseDeliveries(db: Queryable, released: readonly Released[]): Promise<void> {
  const sorted = inKeyOrder(released);
  await db.query({
    name: "release_deliveries",
    text: `
      update webhooks.deliveries d
      set claimed_until = null, attempts = d.attempts - 1
      from unnest($1::bigint[], $2::bigint[], $3::uuid[]) as r (subscription_id, delivery_id, claim_id)
      where d.subscription_id = r.subscription_id and d.delivery_id = r.delivery_id and d.claim_id = r.claim_id
        and d.claimed_until is not null and d.state = 'waiting'`,
    values: [
      sorted.map(({ subscriptionId }) => subscriptionId),
      sorted.map(({ deliveryId }) => deliveryId),
      sorted.map(({ claimId }) => claimId),
    ],
  });
}
