create table billing.windows (
  phone_number_id text not null,
  -- Digits with country code.
  user_id text not null,
  -- Closed at that instant, and from then on.
  closes_at timestamptz not null,
  primary key (phone_number_id, user_id)
);
