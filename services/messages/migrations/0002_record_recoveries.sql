-- Recoveries: what was done after Postgres lost commits, by a failover to a standby that was behind or a restore.

create table messages.recoveries (
  -- As asked: nothing that was committed before is lost.
  since timestamptz primary key,
  started_at timestamptz not null,
  -- Messages with a higher seq were accepted afterwards, so no forgotten holder can have sent them.
  last_seq bigint not null,
  -- Every term granted from here on is higher, of numbers that have no lease yet too.
  terms_above bigint not null,
  -- By Postgres' own clock: a lease that was granted and forgotten is over then.
  grants_after timestamptz not null,
  -- No message is left that may be sent a second time; null: the recovery is under way, or was broken off.
  settled_at timestamptz,
  messages bigint not null,
  events bigint not null,
  finished_at timestamptz
);

alter table messages.leases
  drop constraint leases_ended_check,
  add constraint leases_ended_check check (ended in ('released', 'revoked', 'recovered')),
  drop constraint leases_cause_check,
  add constraint leases_cause_check
    check (cause in ('first', 'released', 'restarted', 'expired', 'revoked', 'recovered'));
