-- Where the telling of a recovery's news goes on when it was broken off: inbound messages first, then our own.

alter table messages.recoveries
  -- The last inbound message whose news was told; null: none yet.
  add column told_inbound_at timestamptz,
  add column told_wamid text,
  -- The first of our messages whose news was not told yet; null: inbound messages are left.
  add column next_message_id uuid,
  add constraint recoveries_told_check check ((told_inbound_at is null) = (told_wamid is null));
