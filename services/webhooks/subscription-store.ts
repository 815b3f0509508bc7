// The SQL of subscriptions.
import type { Queryable } from "#lib/postgres.ts";
import type { EventKind } from "./domain/matching.ts";

/** What a subscription says. Secrets stay inside the service. */
export type SubscriptionSpec = {
  name: string;
  url: string;
  dialect: "cloud";
  events: EventKind[];
  phoneNumberIds: string[];
  wabaIds: string[];
  secrets: string[];
  keepTryingSeconds: number;
  timeoutMs: number;
  concurrency: number;
};

export type Subscription = SubscriptionSpec & { subscriptionId: number };

export type SubscriptionStatus = {
  lastSuccessAt: Date | undefined;
  lastFailureAt: Date | undefined;
  lastFailure: string | undefined;
};

type Row = {
  subscription_id: number;
  name: string;
  url: string;
  dialect: "cloud";
  events: EventKind[];
  phone_number_ids: string[];
  waba_ids: string[];
  secrets: string[];
  keep_trying_seconds: number;
  timeout_ms: number;
  concurrency: number;
};

type StatusRow = Row & { last_success_at: Date | null; last_failure_at: Date | null; last_failure: string | null };

function fromRow(row: Row): Subscription {
  return {
    subscriptionId: row.subscription_id,
    name: row.name,
    url: row.url,
    dialect: row.dialect,
    events: row.events,
    phoneNumberIds: row.phone_number_ids,
    wabaIds: row.waba_ids,
    secrets: row.secrets,
    keepTryingSeconds: row.keep_trying_seconds,
    timeoutMs: row.timeout_ms,
    concurrency: row.concurrency,
  };
}

const columns = `subscription_id, name, url, dialect, events, phone_number_ids, waba_ids, secrets, keep_trying_seconds,
        timeout_ms, concurrency`;

/** Creates it, or replaces what it says; its deliveries stay. */
export async function applySubscription(db: Queryable, spec: SubscriptionSpec, now: Date): Promise<void> {
  await db.query({
    name: "apply_subscription",
    text: `
      insert into webhooks.subscriptions (name, url, dialect, events, phone_number_ids, waba_ids, secrets,
        keep_trying_seconds, timeout_ms, concurrency, created_at)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
      on conflict (name) where removed_at is null do update
      set url = excluded.url, dialect = excluded.dialect, events = excluded.events,
        phone_number_ids = excluded.phone_number_ids, waba_ids = excluded.waba_ids, secrets = excluded.secrets,
        keep_trying_seconds = excluded.keep_trying_seconds, timeout_ms = excluded.timeout_ms,
        concurrency = excluded.concurrency`,
    values: [
      spec.name,
      spec.url,
      spec.dialect,
      spec.events,
      spec.phoneNumberIds,
      spec.wabaIds,
      spec.secrets,
      spec.keepTryingSeconds,
      spec.timeoutMs,
      spec.concurrency,
      now,
    ],
  });
}

/** Its waiting deliveries count no more from here on. One that is not there is removed already. */
export async function removeSubscription(db: Queryable, name: string, now: Date): Promise<void> {
  await db.query({
    name: "remove_subscription",
    text: "update webhooks.subscriptions set removed_at = $2 where name = $1 and removed_at is null",
    values: [name, now],
  });
}

/** By name. */
export async function listSubscriptions(db: Queryable): Promise<Subscription[]> {
  const { rows } = await db.query<Row>({
    name: "list_subscriptions",
    text: `select ${columns} from webhooks.subscriptions where removed_at is null order by name`,
    values: [],
  });
  return rows.map(fromRow);
}

export async function loadSubscription(
  db: Queryable,
  name: string,
): Promise<{ subscription: Subscription; status: SubscriptionStatus } | undefined> {
  const { rows } = await db.query<StatusRow>({
    name: "load_subscription",
    text: `
      select ${columns}, last_success_at, last_failure_at, last_failure
      from webhooks.subscriptions
      where name = $1 and removed_at is null`,
    values: [name],
  });
  const [row] = rows;
  if (row === undefined) return undefined;
  return {
    subscription: fromRow(row),
    status: {
      lastSuccessAt: row.last_success_at ?? undefined,
      lastFailureAt: row.last_failure_at ?? undefined,
      lastFailure: row.last_failure ?? undefined,
    },
  };
}

/** Those whose deliveries are still to be deleted. */
export async function listRemoved(db: Queryable): Promise<number[]> {
  const { rows } = await db.query<{ subscription_id: number }>({
    name: "list_removed",
    text: "select subscription_id from webhooks.subscriptions where removed_at is not null",
    values: [],
  });
  return rows.map(({ subscription_id: subscriptionId }) => subscriptionId);
}

/** `removedBefore` leaves time for a copy that inserts for it still, not knowing of its end. */
export async function deleteSubscription(db: Queryable, subscriptionId: number, removedBefore: Date): Promise<void> {
  await db.query({
    name: "delete_subscription",
    text: "delete from webhooks.subscriptions where subscription_id = $1 and removed_at < $2",
    values: [subscriptionId, removedBefore],
  });
}

export type StatusChange = { lastSuccessAt?: Date; lastFailureAt?: Date; lastFailure?: string };

/** By subscription id. Times only move forward. */
export async function saveStatuses(db: Queryable, changes: ReadonlyMap<number, StatusChange>): Promise<void> {
  const all = [...changes];
  await db.query({
    name: "save_statuses",
    text: `
      update webhooks.subscriptions s
      set last_success_at = greatest(s.last_success_at, change.success_at),
        last_failure_at = greatest(s.last_failure_at, change.failure_at),
        last_failure = case
          when change.failure_at >= coalesce(s.last_failure_at, change.failure_at) then change.failure
          else s.last_failure
        end
      from (
        select c.*
        from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::text[])
          as c (subscription_id, success_at, failure_at, failure)
        join webhooks.subscriptions held using (subscription_id)
        order by c.subscription_id
        for no key update of held
      ) change
      where s.subscription_id = change.subscription_id`,
    values: [
      all.map(([subscriptionId]) => subscriptionId),
      all.map(([, { lastSuccessAt }]) => lastSuccessAt ?? null),
      all.map(([, { lastFailureAt }]) => lastFailureAt ?? null),
      all.map(([, { lastFailure }]) => lastFailure ?? null),
    ],
  });
}
