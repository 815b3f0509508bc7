-- Made by `npm run generate` from migrations/. Do not edit.

CREATE SCHEMA quality;

CREATE TABLE quality.limit_scopes (
    scope_id text NOT NULL,
    tier text DEFAULT 'TIER_NOT_SET'::text NOT NULL,
    tier_reported_at timestamp with time zone,
    used integer DEFAULT 0 NOT NULL,
    CONSTRAINT limit_scopes_used_check CHECK ((used >= 0))
);

CREATE TABLE quality.limit_users (
    scope_id text NOT NULL,
    user_id text NOT NULL,
    counted_at timestamp with time zone,
    active_until timestamp with time zone NOT NULL
);

CREATE TABLE quality.numbers (
    phone_number_id text NOT NULL,
    waba_id text,
    business_id text,
    scope_id text NOT NULL,
    quality_rating text DEFAULT 'UNKNOWN'::text NOT NULL,
    status text DEFAULT 'UNKNOWN'::text NOT NULL,
    throughput_level text DEFAULT ''::text NOT NULL,
    name_status text DEFAULT ''::text NOT NULL,
    verified_name text DEFAULT ''::text NOT NULL,
    observed_at timestamp with time zone,
    refresh_due_at timestamp with time zone NOT NULL,
    refresh_failures integer DEFAULT 0 NOT NULL,
    last_error text
);

CREATE TABLE quality.reservations (
    message_id uuid NOT NULL,
    scope_id text NOT NULL,
    user_id text NOT NULL,
    lapses_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY quality.limit_scopes
    ADD CONSTRAINT limit_scopes_pkey PRIMARY KEY (scope_id);

ALTER TABLE ONLY quality.limit_users
    ADD CONSTRAINT limit_users_pkey PRIMARY KEY (scope_id, user_id);

ALTER TABLE ONLY quality.numbers
    ADD CONSTRAINT numbers_pkey PRIMARY KEY (phone_number_id);

ALTER TABLE ONLY quality.reservations
    ADD CONSTRAINT reservations_pkey PRIMARY KEY (message_id);

CREATE INDEX limit_users_active_until ON quality.limit_users USING btree (scope_id, active_until);

CREATE INDEX limit_users_counted_at ON quality.limit_users USING btree (scope_id, counted_at);

CREATE INDEX numbers_refresh_due ON quality.numbers USING btree (refresh_due_at);

CREATE INDEX numbers_scope ON quality.numbers USING btree (scope_id);

CREATE INDEX numbers_waba ON quality.numbers USING btree (waba_id);

CREATE INDEX reservations_lapses_at ON quality.reservations USING btree (lapses_at);

CREATE INDEX reservations_user ON quality.reservations USING btree (scope_id, user_id);
