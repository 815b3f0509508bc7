-- Claim: who has messages that can go at once, where the first in the order of acceptance are behind one that waits?
-- In an order of its own, so that no other index is taken for it.
create index messages_users on messages.messages (phone_number_id, lane, recipient collate "C", seq)
  where open_state = 'accepted';
