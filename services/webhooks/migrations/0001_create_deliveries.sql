create table webhooks.subscriptions (
  subscription_id bigint generated always as identity primary key,
  name text not null,
  url text not null,
  dialect text not null check (dialect in ('cloud')),
  -- Empty lists mean all.
  events text[] not null check (events <@ array['messages', 'statuses', 'account']),
  phone_number_ids text[] not null,
  waba_ids text[] not null,
  -- The first one signs.
  secrets text[] not null,
  keep_trying_seconds integer not null check (keep_trying_seconds > 0),
  timeout_ms integer not null check (timeout_ms > 0),
  concurrency integer not null check (concurrency > 0),
  created_at timestamptz not null,
  -- Set when it is removed: its deliveries count no more, and the sweep deletes them, then this row.
  removed_at timestamptz,
  last_success_at timestamptz,
  last_failure_at timestamptz,
  last_failure text
) with (fillfactor = 50);

-- load_subscription, apply_subscription
create unique index subscriptions_name on webhooks.subscriptions (name) where removed_at is null;

-- One row per delivery, written once and updated once if the first attempt succeeds. No foreign key to subscriptions: it would
-- cost a look-up for each row, and what is inserted for a subscription that was just removed is swept with the rest.
create table webhooks.deliveries (
  subscription_id bigint not null,
  -- Rises in the order of the events; of one order_key the lower one goes first.
  delivery_id bigint generated always as identity,
  event_id text not null,
  order_key text not null,
  -- The very bytes that are signed and sent.
  body bytea not null,
  state text not null check (state in ('waiting', 'delivered', 'dead')),
  -- Attempts begun. It is also the proof of a claim: a failure is saved only under the number of its own attempt.
  attempts integer not null,
  due_at timestamptz not null,
  -- By Postgres' clock: until then the process that claimed it may be sending it. Null: nobody is.
  claimed_until timestamptz,
  -- Drawn for each statement that claims: whoever never had its answer finds by it what it may have claimed.
  claim_id uuid,
  created_at timestamptz not null,
  finished_at timestamptz,
  last_failure text,
  -- mark_delivered, save_failures, release_deliveries, listing, delete_finished
  primary key (subscription_id, delivery_id),
  -- insert_deliveries: an event that comes again is no new delivery.
  constraint deliveries_event unique (subscription_id, event_id)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);

-- claim_deliveries, load_next_due, load_backlogs, expire_deliveries
create index deliveries_due on webhooks.deliveries (subscription_id, due_at, delivery_id) include (created_at)
  where state = 'waiting';

-- insert_deliveries, claim_deliveries, save_failures: who else of the same key waits?
create index deliveries_order on webhooks.deliveries (subscription_id, order_key, delivery_id) where state = 'waiting';

-- count_dead, listing what is dead
create index deliveries_dead on webhooks.deliveries (subscription_id, delivery_id) where state = 'dead';

-- An attempt is a row only when it failed.
create table webhooks.failed_attempts (
  subscription_id bigint not null,
  delivery_id bigint not null,
  attempt integer not null,
  failed_at timestamptz not null,
  -- The HTTP status; null if no response came.
  status integer,
  reason text not null,
  primary key (subscription_id, delivery_id, attempt)
);
