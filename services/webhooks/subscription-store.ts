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
  /** Newest first. */
  secrets: string[];
  previousSecretsEndAt: Date | undefined;
  keepTryingSeconds: number;
  timeoutMs: number;
  concurrency: number;
};

export type Subscription = SubscriptionSpec & { subscriptionId: number };

export type SubscriptionStatus = {
  lastSuccessAt: Date | undefined;
  lastFailureAt: Date | undefined;
  lastFailure: string | undefined;
  pausedUntil: Date | undefined;
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
  previous_secrets_end_at: Date | null;
  keep_trying_seconds: number;
  timeout_ms: number;
  concurrency: number;
};

type StatusRow = Row & {
  last_success_at: Date | null;
  last_failure_at: Date | null;
  last_failure: string | null;
  paused_until: Date | null;
};

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
    previousSecretsEndAt: row.previous_secrets_end_at ?? undefined,
    keepTryingSeconds: row.keep_trying_seconds,
    timeoutMs: row.timeout_ms,
    concurrency: row.concurrency,
  };
}

const columns = `subscription_id, name, url, dialect, events, phone_number_ids, waba_ids, secrets,
        previous_secrets_end_at, keep_trying_seconds, timeout_ms, concurrency`;

const statusColumns = "last_success_at, last_failure_at, last_failure, paused_until";

/** Creates it, or replaces what it says; its deliveries stay. */
export async function applySubscription(db: Queryable, spec: SubscriptionSpec, now: Date): Promise<void> {
  await db.query({
    name: "apply_subscription",
    text: `
      insert into webhooks.subscriptions (name, url, dialect, events, phone_number_ids, waba_ids, secrets,
        previous_secrets_end_at, keep_trying_seconds, timeout_ms, concurrency, created_at)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
      on conflict (name) where removed_at is null do update
      set url = excluded.url, dialect = excluded.dialect, events = excluded.events,
        phone_number_ids = excluded.phone_number_ids, waba_ids = excluded.waba_ids, secrets = excluded.secrets,
        previous_secrets_end_at = excluded.previous_secrets_end_at,
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
      spec.previousSecretsEndAt ?? null,
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

export type Described = { subscription: Subscription; status: SubscriptionStatus };

function toDescribed(row: StatusRow): Described {
  return {
    subscription: fromRow(row),
    status: {
      lastSuccessAt: row.last_success_at ?? undefined,
      lastFailureAt: row.last_failure_at ?? undefined,
      lastFailure: row.last_failure ?? undefined,
      pausedUntil: row.paused_until ?? undefined,
    },
  };
}

/** By name, each with its status. */
export async function describeSubscriptions(db: Queryable): Promise<Described[]> {
  const { rows } = await db.query<StatusRow>({
    name: "describe_subscriptions",
    text: `select ${columns}, ${statusColumns} from webhooks.subscriptions where removed_at is null order by name`,
    values: [],
  });
  return rows.map(toDescribed);
}

export async function loadSubscription(db: Queryable, name: string): Promise<Described | undefined> {
  const { rows } = await db.query<StatusRow>({
    name: "load_subscription",
    text: `
      select ${columns}, ${statusColumns}
      from webhooks.subscriptions
      where name = $1 and removed_at is null`,
    values: [name],
  });
  return rows.map(toDescribed)[0];
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

export type StatusChange = { lastSuccessAt?: Date; lastFailureAt?: Date; lastFailure?: string; pausedUntil?: Date };

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
        end,
        paused_until = greatest(s.paused_until, change.paused_until)
      from (
        select c.*
        from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::timestamptz[])
          as c (subscription_id, success_at, failure_at, failure, paused_until)
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
      all.map(([, { pausedUntil }]) => pausedUntil ?? null),
    ],
  });
}
