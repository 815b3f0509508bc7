-- Messages are claimed in the order of acceptance: what is accepted is due at once, what waits comes back to its place when it is due.

drop index messages.messages_claim;
-- Claim, whether work is due (Renew), and how many wait (Send): what can go at once.
create index messages_accepted on messages.messages (phone_number_id, lane, seq) where open_state = 'accepted';
-- The same: what waits until it is due.
create index messages_waiting on messages.messages (phone_number_id, lane, due_at) where open_state = 'waiting';
