-- Made by `npm run generate` from migrations/. Do not edit.

CREATE SCHEMA webhooks;

CREATE TABLE webhooks.deliveries (
    subscription_id bigint NOT NULL,
    delivery_id bigint NOT NULL,
    event_id text NOT NULL,
    order_key text NOT NULL,
    body bytea NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    due_at timestamp with time zone NOT NULL,
    claimed_until timestamp with time zone,
    claim_id uuid,
    created_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    last_failure text,
    CONSTRAINT deliveries_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'delivered'::text, 'dead'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_insert_scale_factor='0.05');

ALTER TABLE webhooks.deliveries ALTER COLUMN delivery_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME webhooks.deliveries_delivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE webhooks.failed_attempts (
    subscription_id bigint NOT NULL,
    delivery_id bigint NOT NULL,
    attempt integer NOT NULL,
    failed_at timestamp with time zone NOT NULL,
    status integer,
    reason text NOT NULL
);

CREATE TABLE webhooks.subscriptions (
    subscription_id bigint NOT NULL,
    name text NOT NULL,
    url text NOT NULL,
    dialect text NOT NULL,
    events text[] NOT NULL,
    phone_number_ids text[] NOT NULL,
    waba_ids text[] NOT NULL,
    secrets text[] NOT NULL,
    keep_trying_seconds integer NOT NULL,
    timeout_ms integer NOT NULL,
    concurrency integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    removed_at timestamp with time zone,
    last_success_at timestamp with time zone,
    last_failure_at timestamp with time zone,
    last_failure text,
    previous_secrets_end_at timestamp with time zone,
    paused_until timestamp with time zone,
    CONSTRAINT subscriptions_concurrency_check CHECK ((concurrency > 0)),
    CONSTRAINT subscriptions_dialect_check CHECK ((dialect = 'cloud'::text)),
    CONSTRAINT subscriptions_events_check CHECK ((events <@ ARRAY['messages'::text, 'statuses'::text, 'account'::text])),
    CONSTRAINT subscriptions_keep_trying_seconds_check CHECK ((keep_trying_seconds > 0)),
    CONSTRAINT subscriptions_timeout_ms_check CHECK ((timeout_ms > 0))
)
WITH (fillfactor='50');

ALTER TABLE webhooks.subscriptions ALTER COLUMN subscription_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME webhooks.subscriptions_subscription_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY webhooks.deliveries
    ADD CONSTRAINT deliveries_event UNIQUE (subscription_id, event_id);

ALTER TABLE ONLY webhooks.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (subscription_id, delivery_id);

ALTER TABLE ONLY webhooks.failed_attempts
    ADD CONSTRAINT failed_attempts_pkey PRIMARY KEY (subscription_id, delivery_id, attempt);

ALTER TABLE ONLY webhooks.subscriptions
    ADD CONSTRAINT subscriptions_pkey PRIMARY KEY (subscription_id);

CREATE INDEX deliveries_dead ON webhooks.deliveries USING btree (subscription_id, delivery_id) WHERE (state = 'dead'::text);

CREATE INDEX deliveries_due ON webhooks.deliveries USING btree (subscription_id, due_at, delivery_id) INCLUDE (created_at) WHERE (state = 'waiting'::text);

CREATE INDEX deliveries_order ON webhooks.deliveries USING btree (subscription_id, order_key, delivery_id) WHERE (state = 'waiting'::text);

CREATE UNIQUE INDEX subscriptions_name ON webhooks.subscriptions USING btree (name) WHERE (removed_at IS NULL);
