alter table webhooks.subscriptions
  -- From then on only the first secret signs; null: all of them do.
  add column previous_secrets_end_at timestamptz,
  -- The latest end of a pause that a copy of the service gave the endpoint.
  add column paused_until timestamptz;
