create table templates.accounts (
  waba_id text primary key,
  -- Start of the last reading that was saved; null before the first.
  synced_at timestamptz,
  sync_due_at timestamptz not null,
  -- Readings that failed since.
  sync_failures integer not null default 0,
  -- Reason of the last one.
  last_error text
);

-- claim_due_accounts
create index accounts_sync_due on templates.accounts (sync_due_at);

create table templates.templates (
  waba_id text not null,
  name text not null,
  -- Meta's code with an underscore: en_US.
  language text not null,
  -- Meta's decimal ids exceed what a double holds.
  template_id text not null,
  category text not null,
  status text not null,
  quality text not null,
  -- POSITIONAL or NAMED.
  parameter_format text not null,
  -- Meta's array as it came. Text, because jsonb refuses some valid JSON (\u0000, lone surrogates) and with it the whole account.
  components_json text not null,
  rejected_reason text not null,
  -- When WhatsApp told the value first; an older report changes nothing.
  category_at timestamptz not null,
  status_at timestamptz not null,
  quality_at timestamptz not null,
  primary key (waba_id, name, language)
);
