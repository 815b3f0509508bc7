// The SQL that looks at deliveries, and that ends and deletes old ones.
import type { Queryable } from "#lib/postgres.ts";

export type DeliveryState = "waiting" | "delivered" | "dead";

export type Delivery = {
  deliveryId: number;
  eventId: string;
  state: DeliveryState;
  attempts: number;
  createdAt: Date;
  dueAt: Date;
  finishedAt: Date | undefined;
  lastFailure: string | undefined;
};

type DeliveryRow = {
  delivery_id: number;
  event_id: string;
  state: DeliveryState;
  attempts: number;
  created_at: Date;
  due_at: Date;
  finished_at: Date | null;
  last_failure: string | null;
};

/** Newest first, from before the given id on. Undefined state: all. */
export async function listDeliveries(
  db: Queryable,
  query: { subscriptionId: number; state: DeliveryState | undefined; before: number | undefined; limit: number },
): Promise<Delivery[]> {
  const { rows } = await db.query<DeliveryRow>(
    `select delivery_id, event_id, state, attempts, created_at, due_at, finished_at, last_failure
     from webhooks.deliveries
     where subscription_id = $1 and ($2::text is null or state = $2) and ($3::bigint is null or delivery_id < $3)
     order by delivery_id desc
     limit $4`,
    [query.subscriptionId, query.state ?? null, query.before ?? null, query.limit],
  );
  return rows.map((row) => ({
    deliveryId: row.delivery_id,
    eventId: row.event_id,
    state: row.state,
    attempts: row.attempts,
    createdAt: row.created_at,
    dueAt: row.due_at,
    finishedAt: row.finished_at ?? undefined,
    lastFailure: row.last_failure ?? undefined,
  }));
}

export type Backlog = { subscriptionId: number; waiting: number; oldestWaitingAt: Date | undefined };

/** One for each subscription asked for. Reads an index of what waits, never what is finished. */
export async function loadBacklogs(db: Queryable, subscriptionIds: readonly number[]): Promise<Backlog[]> {
  const { rows } = await db.query<{ subscription_id: number; waiting: number; oldest: Date | null }>({
    name: "load_backlogs",
    text: `
      select s.subscription_id, count(d.delivery_id) as waiting, min(d.created_at) as oldest
      from unnest($1::bigint[]) as s (subscription_id)
      left join webhooks.deliveries d on d.subscription_id = s.subscription_id and d.state = 'waiting'
      group by s.subscription_id`,
    values: [subscriptionIds],
  });
  return rows.map(({ subscription_id: subscriptionId, waiting, oldest }) => ({
    subscriptionId,
    waiting,
    oldestWaitingAt: oldest ?? undefined,
  }));
}

/** By subscription id; one without any is missing. */
export async function countDead(db: Queryable, subscriptionIds: readonly number[]): Promise<Map<number, number>> {
  const { rows } = await db.query<{ subscription_id: number; dead: number }>({
    name: "count_dead",
    text: `
      select subscription_id, count(*) as dead
      from webhooks.deliveries
      where subscription_id = any ($1::bigint[]) and state = 'dead'
      group by subscription_id`,
    values: [subscriptionIds],
  });
  return new Map(rows.map(({ subscription_id: subscriptionId, dead }) => [subscriptionId, dead]));
}

/** Ends what waits since before the given time and is in nobody's hands: an endpoint in a pause is not asked for each of them. */
export async function expireDeliveries(
  db: Queryable,
  expiry: { subscriptionId: number; createdBefore: Date; reason: string; limit: number },
  now: Date,
): Promise<number> {
  const { rowCount } = await db.query({
    name: "expire_deliveries",
    text: `
      update webhooks.deliveries
      set state = 'dead', finished_at = $3, claimed_until = null, last_failure = coalesce(last_failure, $4)
      where subscription_id = $1 and delivery_id in (
        select delivery_id
        from webhooks.deliveries
        where subscription_id = $1 and state = 'waiting' and created_at < $2
          and (claimed_until is null or claimed_until < clock_timestamp())
        order by due_at, delivery_id
        limit $5
        for update skip locked)`,
    values: [expiry.subscriptionId, expiry.createdBefore, now, expiry.reason, expiry.limit],
  });
  return rowCount ?? 0;
}

type Page = { lastId: number | undefined; newestAt: Date | undefined; rows: number };

/** Deletes, among the next `limit` deliveries after the id, those finished before the given times. */
export async function deleteFinished(
  db: Queryable,
  page: { subscriptionId: number; after: number; limit: number; deliveredBefore: Date; deadBefore: Date },
): Promise<Page> {
  const { rows } = await db.query<{ last_id: number | null; newest_at: Date | null; seen: number }>({
    name: "delete_finished",
    text: `
      with page as materialized (
        select delivery_id, created_at
        from webhooks.deliveries
        where subscription_id = $1 and delivery_id > $2
        order by delivery_id
        limit $3
      ), gone as (
        delete from webhooks.deliveries d
        using page
        where d.subscription_id = $1 and d.delivery_id = page.delivery_id
          and (d.state = 'delivered' and d.finished_at < $4 or d.state = 'dead' and d.finished_at < $5)
        returning d.delivery_id
      ), attempts_gone as (
        delete from webhooks.failed_attempts a using gone where a.subscription_id = $1 and a.delivery_id = gone.delivery_id
      )
      select max(delivery_id) as last_id, max(created_at) as newest_at, count(*) as seen from page`,
    values: [page.subscriptionId, page.after, page.limit, page.deliveredBefore, page.deadBefore],
  });
  const [row] = rows;
  return { lastId: row?.last_id ?? undefined, newestAt: row?.newest_at ?? undefined, rows: row?.seen ?? 0 };
}

/** Deletes some deliveries of a removed subscription, whatever their state; 0 when none is left. */
export async function deleteSome(db: Queryable, subscriptionId: number, limit: number): Promise<number> {
  const { rows } = await db.query<{ gone: number }>({
    name: "delete_some",
    text: `
      with gone as (
        delete from webhooks.deliveries
        where subscription_id = $1 and delivery_id in (
          select delivery_id from webhooks.deliveries where subscription_id = $1 order by delivery_id limit $2)
        returning delivery_id
      ), attempts_gone as (
        delete from webhooks.failed_attempts a using gone where a.subscription_id = $1 and a.delivery_id = gone.delivery_id
      )
      select count(*) as gone from gone`,
    values: [subscriptionId, limit],
  });
  return rows[0]?.gone ?? 0;
}
