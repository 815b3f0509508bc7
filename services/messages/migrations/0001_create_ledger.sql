-- The register: business accounts, and the phone numbers declared in them.

create table messages.accounts (
  waba_id text primary key,
  name text not null
);

create table messages.numbers (
  phone_number_id text primary key,
  waba_id text not null references messages.accounts,
  display_phone_number text not null,
  name text not null,
  messages_per_second integer not null,
  unknown_policy text not null check (unknown_policy in ('fail', 'resend')),
  unknown_timeout_seconds integer not null,
  queue_limit integer not null,
  default_ttl_seconds integer not null,
  content_policy text not null check (content_policy in ('store', 'pass_through')),
  generation bigint not null,
  -- A removed number stays as a row, so that every copy of the service learns of it and its terms never start again.
  removed_at timestamptz,
  -- Readers of changes ask for rows at or above the oldest transaction that their last look could not see.
  changed_in xid8 not null default pg_current_xact_id()
);

-- ApplyNumber: a phone number has one declaration.
create unique index numbers_display_phone_number on messages.numbers (display_phone_number) where removed_at is null;
-- The register's look for changes.
create index numbers_changed_in on messages.numbers (changed_in);

-- Leases. A row changes at a change of hands only: Begin holds it with `for share`, so nothing else may write to it often.

create table messages.leases (
  phone_number_id text primary key,
  term bigint not null,
  epoch bigint not null,
  holder text not null,
  boot_id text not null,
  address text not null,
  state text not null check (state in ('free', 'held', 'draining')),
  -- How the last holder ended, while the state is free.
  ended text check (ended in ('released', 'revoked')),
  -- Why the present term was granted.
  cause text not null check (cause in ('first', 'released', 'restarted', 'expired', 'revoked')),
  -- What the operator proved when it revoked the last term.
  proof text,
  -- The holder let its time run out. It stays the holder until another one asks or it renews.
  lapsed boolean not null,
  granted_at timestamptz not null,
  -- Why the holder does not send, as it last said; empty: it sends. Changes about as rarely as hands do.
  standing text not null,
  changed_in xid8 not null default pg_current_xact_id()
);

-- The register's look for changes.
create index leases_changed_in on messages.leases (changed_in);

-- Valid by Postgres' own clock. No row while the lease is free. In a table of its own so that renewals never wait for Begin.
create table messages.lease_renewals (
  phone_number_id text primary key,
  term bigint not null,
  valid_until timestamptz not null
) with (fillfactor = 50);

-- The ledger. A partition holds the version 7 UUIDs of one UTC day.

create sequence messages.message_seq;

create table messages.messages (
  message_id uuid primary key,
  -- The order of acceptance.
  seq bigint not null default nextval('messages.message_seq'),
  phone_number_id text not null,
  recipient text not null,
  lane text not null check (lane in ('reply', 'bulk')),
  state text not null check (
    state in ('accepted', 'waiting', 'sending', 'sent', 'delivered', 'read', 'failed', 'expired', 'cancelled', 'unknown')
  ),
  -- The state as long as something is still to be done here. Indexes look at this column alone, so that the updates by
  -- delivered and read, which do not change it, touch no index.
  open_state text generated always as (
    case when state in ('accepted', 'waiting', 'sending', 'unknown') then state end
  ) stored,
  -- The attempt that went, or is going, over the wire; 0 before the first. Its lease term.
  attempt integer not null,
  term bigint not null,
  -- The next step: to be sent, to be taken for unknown (sending), to be given up or sent again (unknown).
  due_at timestamptz not null,
  expires_at timestamptz not null,
  category text not null,
  template_name text not null,
  template_language text not null,
  campaign text not null,
  client_callback_data text not null,
  -- The quoted message: one of ours, or an inbound one by WhatsApp's id.
  context_message_id uuid,
  context_wamid text not null,
  wamid text,
  reason text not null,
  error jsonb,
  pricing jsonb,
  accepted_at timestamptz not null,
  sending_at timestamptz,
  sent_at timestamptz,
  -- WhatsApp's own `sent`, or what came in its place: when the customer was told.
  sent_news_at timestamptz,
  delivered_at timestamptz,
  read_at timestamptz,
  -- Failed, expired or cancelled.
  failed_at timestamptz,
  -- A line for each transition: state, ms since acceptance, attempt, term, reason.
  history text not null default ''
) partition by range (message_id);

-- Claim, and whether work is due (Renew), and how many wait (Send).
create index messages_claim on messages.messages (phone_number_id, lane, due_at, seq)
  where open_state in ('accepted', 'waiting');
-- Claim: does an earlier message to the same user wait?
create index messages_holds on messages.messages (phone_number_id, recipient, lane, seq) where open_state = 'waiting';
-- Claim: do quotes wait for the message they quote?
create index messages_quotes on messages.messages (phone_number_id)
  where open_state in ('accepted', 'waiting') and context_message_id is not null;
-- Acquire: what did earlier terms leave?
create index messages_sending on messages.messages (phone_number_id, term) where open_state = 'sending';
-- Sweeper: whose outcome is overdue?
create index messages_due on messages.messages (due_at) where open_state in ('sending', 'unknown');
-- Sweeper: what is too late to be sent?
create index messages_expiry on messages.messages (expires_at) where open_state in ('accepted', 'waiting');
-- Ingest: statuses and quotes that carry WhatsApp's id only.
create index messages_wamid on messages.messages (wamid) where wamid is not null;

-- ListMessages by recipient.
create index messages_recipient on messages.messages (recipient, message_id);

-- What is said, in partitions of the same days: it goes earlier than the rest, and is not written again with each state.
create table messages.contents (
  message_id uuid primary key,
  -- heliograph.messages.v1.Content.
  content bytea not null
) partition by range (message_id);

-- Without partitions, because a unique index cannot span them.
create table messages.idempotency_keys (
  phone_number_id text not null,
  key text not null,
  body_hash bytea not null,
  message_id uuid not null,
  created_at timestamptz not null,
  primary key (phone_number_id, key)
);

-- Sweeper: which keys are too old?
create index idempotency_keys_created_at on messages.idempotency_keys (created_at);

-- What users wrote. A partition holds one UTC day of WhatsApp's timestamps, so that a repeat after midnight still collides.
create table messages.inbound (
  at timestamptz not null,
  wamid text not null,
  phone_number_id text not null,
  wa_id text not null,
  type text not null,
  -- UTF-8 JSON as Meta wrote it, but for our ids in its context.
  message_json bytea,
  -- The message of ours that it quotes.
  context_message_id uuid,
  received_at timestamptz not null,
  -- The number's content policy at that time.
  pass_through boolean not null,
  primary key (at, wamid)
) partition by range (at);

-- Retention: which contents go once all readers of the news have them? Empty for numbers that store.
create index inbound_passing on messages.inbound (received_at) where pass_through and message_json is not null;

-- Days long past, or still to come by a wrong clock.
create table messages.inbound_default partition of messages.inbound default;

create table messages.contacts (
  phone_number_id text not null,
  wa_id text not null,
  profile_name text not null,
  last_inbound_at timestamptz,
  primary key (phone_number_id, wa_id)
) with (fillfactor = 80);

-- Webhook entries that could not be read, as they came.
create table messages.unparsed_updates (
  id bigint generated always as identity primary key,
  body bytea not null,
  error text not null,
  received_at timestamptz not null
);

create table messages.outbox (
  id bigint generated always as identity primary key,
  subject text not null,
  event_id text not null,
  payload bytea not null,
  trace text,
  created_at timestamptz not null
);
