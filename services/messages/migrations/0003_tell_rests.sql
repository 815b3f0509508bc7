-- Why and until when the holder sends nothing, as it last said; empty and null: it sends.
alter table messages.leases
  add column rest_reason text not null default '',
  add column rests_until timestamptz;
