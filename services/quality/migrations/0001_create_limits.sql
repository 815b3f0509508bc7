create table quality.numbers (
  phone_number_id text primary key,
  -- Null while WhatsApp has not told it.
  waba_id text,
  business_id text,
  scope_id text not null,
  -- The facts in Meta's words.
  quality_rating text not null default 'UNKNOWN',
  status text not null default 'UNKNOWN',
  throughput_level text not null default '',
  name_status text not null default '',
  verified_name text not null default '',
  -- When WhatsApp told the facts; null before the first time.
  observed_at timestamptz,
  refresh_due_at timestamptz not null,
  -- Readings that failed since the last good one.
  refresh_failures integer not null default 0,
  -- Reason of the last one.
  last_error text
);

-- lock_numbers, make_due
create index numbers_waba on quality.numbers (waba_id);

-- find_empty_scopes
create index numbers_scope on quality.numbers (scope_id);

-- claim_due_numbers
create index numbers_refresh_due on quality.numbers (refresh_due_at);

-- Numbers with one scope share one messaging limit. Its id is Meta's id of the portfolio, else of the account, else of the number.
create table quality.limit_scopes (
  scope_id text primary key,
  tier text not null default 'TIER_NOT_SET',
  tier_reported_at timestamptz,
  -- The number of rows in limit_users. Whoever inserts or deletes those holds this row.
  used integer not null default 0 check (used >= 0)
);

create table quality.limit_users (
  scope_id text not null,
  -- Digits with country code.
  user_id text not null,
  -- The last delivery of a business-initiated message.
  counted_at timestamptz,
  -- Takes up a place before this instant.
  active_until timestamptz not null,
  primary key (scope_id, user_id)
);

-- delete_inactive_users, load_number
create index limit_users_active_until on quality.limit_users (scope_id, active_until);

-- load_leaving_user
create index limit_users_counted_at on quality.limit_users (scope_id, counted_at);

create table quality.reservations (
  message_id uuid primary key,
  scope_id text not null,
  user_id text not null,
  -- Kept for 31 days after it, so that a late delivery is still counted.
  lapses_at timestamptz not null
);

-- load_uses, move_reservations
create index reservations_user on quality.reservations (scope_id, user_id);

-- delete_old_reservations
create index reservations_lapses_at on quality.reservations (lapses_at);
