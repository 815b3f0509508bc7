-- When a holder first told that WhatsApp has the number registered from here; null: never, or it was deregistered through its holder.
alter table messages.leases
  add column registered_seen_at timestamptz;
update messages.leases set registered_seen_at = granted_at where standing = 'conflict';
