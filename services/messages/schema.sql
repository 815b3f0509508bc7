-- Made by `npm run generate` from migrations/. Do not edit.

CREATE SCHEMA messages;

CREATE TABLE messages.accounts (
    waba_id text NOT NULL,
    name text NOT NULL
);

CREATE TABLE messages.contacts (
    phone_number_id text NOT NULL,
    wa_id text NOT NULL,
    profile_name text NOT NULL,
    last_inbound_at timestamp with time zone
)
WITH (fillfactor='80');

CREATE TABLE messages.contents (
    message_id uuid NOT NULL,
    content bytea NOT NULL
)
PARTITION BY RANGE (message_id);

CREATE TABLE messages.idempotency_keys (
    phone_number_id text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    message_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE messages.inbound (
    at timestamp with time zone NOT NULL,
    wamid text NOT NULL,
    phone_number_id text NOT NULL,
    wa_id text NOT NULL,
    type text NOT NULL,
    message_json bytea,
    context_message_id uuid,
    received_at timestamp with time zone NOT NULL,
    pass_through boolean NOT NULL
)
PARTITION BY RANGE (at);

CREATE TABLE messages.inbound_default (
    at timestamp with time zone CONSTRAINT inbound_at_not_null NOT NULL,
    wamid text CONSTRAINT inbound_wamid_not_null NOT NULL,
    phone_number_id text CONSTRAINT inbound_phone_number_id_not_null NOT NULL,
    wa_id text CONSTRAINT inbound_wa_id_not_null NOT NULL,
    type text CONSTRAINT inbound_type_not_null NOT NULL,
    message_json bytea,
    context_message_id uuid,
    received_at timestamp with time zone CONSTRAINT inbound_received_at_not_null NOT NULL,
    pass_through boolean CONSTRAINT inbound_pass_through_not_null NOT NULL
);

CREATE TABLE messages.lease_renewals (
    phone_number_id text NOT NULL,
    term bigint NOT NULL,
    valid_until timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE messages.leases (
    phone_number_id text NOT NULL,
    term bigint NOT NULL,
    epoch bigint NOT NULL,
    holder text NOT NULL,
    boot_id text NOT NULL,
    address text NOT NULL,
    state text NOT NULL,
    ended text,
    cause text NOT NULL,
    proof text,
    lapsed boolean NOT NULL,
    granted_at timestamp with time zone NOT NULL,
    standing text NOT NULL,
    changed_in xid8 DEFAULT pg_current_xact_id() NOT NULL,
    rest_reason text DEFAULT ''::text NOT NULL,
    rests_until timestamp with time zone,
    registered_seen_at timestamp with time zone,
    CONSTRAINT leases_cause_check CHECK ((cause = ANY (ARRAY['first'::text, 'released'::text, 'restarted'::text, 'expired'::text, 'revoked'::text, 'recovered'::text]))),
    CONSTRAINT leases_ended_check CHECK ((ended = ANY (ARRAY['released'::text, 'revoked'::text, 'recovered'::text]))),
    CONSTRAINT leases_state_check CHECK ((state = ANY (ARRAY['free'::text, 'held'::text, 'draining'::text])))
);

CREATE SEQUENCE messages.message_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE messages.messages (
    message_id uuid NOT NULL,
    seq bigint DEFAULT nextval('messages.message_seq'::regclass) NOT NULL,
    phone_number_id text NOT NULL,
    recipient text NOT NULL,
    lane text NOT NULL,
    state text NOT NULL,
    open_state text GENERATED ALWAYS AS (
CASE
    WHEN (state = ANY (ARRAY['accepted'::text, 'waiting'::text, 'sending'::text, 'unknown'::text])) THEN state
    ELSE NULL::text
END) STORED,
    attempt integer NOT NULL,
    term bigint NOT NULL,
    due_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    category text NOT NULL,
    template_name text NOT NULL,
    template_language text NOT NULL,
    campaign text NOT NULL,
    client_callback_data text NOT NULL,
    context_message_id uuid,
    context_wamid text NOT NULL,
    wamid text,
    reason text NOT NULL,
    error jsonb,
    pricing jsonb,
    accepted_at timestamp with time zone NOT NULL,
    sending_at timestamp with time zone,
    sent_at timestamp with time zone,
    sent_news_at timestamp with time zone,
    delivered_at timestamp with time zone,
    read_at timestamp with time zone,
    failed_at timestamp with time zone,
    history text DEFAULT ''::text NOT NULL,
    CONSTRAINT messages_lane_check CHECK ((lane = ANY (ARRAY['reply'::text, 'bulk'::text]))),
    CONSTRAINT messages_state_check CHECK ((state = ANY (ARRAY['accepted'::text, 'waiting'::text, 'sending'::text, 'sent'::text, 'delivered'::text, 'read'::text, 'failed'::text, 'expired'::text, 'cancelled'::text, 'unknown'::text])))
)
PARTITION BY RANGE (message_id);

CREATE TABLE messages.numbers (
    phone_number_id text NOT NULL,
    waba_id text NOT NULL,
    display_phone_number text NOT NULL,
    name text NOT NULL,
    messages_per_second integer NOT NULL,
    unknown_policy text NOT NULL,
    unknown_timeout_seconds integer NOT NULL,
    queue_limit integer NOT NULL,
    default_ttl_seconds integer NOT NULL,
    content_policy text NOT NULL,
    generation bigint NOT NULL,
    removed_at timestamp with time zone,
    changed_in xid8 DEFAULT pg_current_xact_id() NOT NULL,
    CONSTRAINT numbers_content_policy_check CHECK ((content_policy = ANY (ARRAY['store'::text, 'pass_through'::text]))),
    CONSTRAINT numbers_unknown_policy_check CHECK ((unknown_policy = ANY (ARRAY['fail'::text, 'resend'::text])))
);

CREATE TABLE messages.outbox (
    id bigint NOT NULL,
    subject text NOT NULL,
    event_id text NOT NULL,
    payload bytea NOT NULL,
    trace text,
    created_at timestamp with time zone NOT NULL
);

ALTER TABLE messages.outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME messages.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE messages.recoveries (
    since timestamp with time zone NOT NULL,
    started_at timestamp with time zone NOT NULL,
    last_seq bigint NOT NULL,
    terms_above bigint NOT NULL,
    grants_after timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    messages bigint NOT NULL,
    events bigint NOT NULL,
    finished_at timestamp with time zone,
    told_inbound_at timestamp with time zone,
    told_wamid text,
    next_message_id uuid,
    CONSTRAINT recoveries_told_check CHECK (((told_inbound_at IS NULL) = (told_wamid IS NULL)))
);

CREATE TABLE messages.unparsed_updates (
    id bigint NOT NULL,
    body bytea NOT NULL,
    error text NOT NULL,
    received_at timestamp with time zone NOT NULL
);

ALTER TABLE messages.unparsed_updates ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME messages.unparsed_updates_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY messages.inbound ATTACH PARTITION messages.inbound_default DEFAULT;

ALTER TABLE ONLY messages.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (waba_id);

ALTER TABLE ONLY messages.contacts
    ADD CONSTRAINT contacts_pkey PRIMARY KEY (phone_number_id, wa_id);

ALTER TABLE ONLY messages.contents
    ADD CONSTRAINT contents_pkey PRIMARY KEY (message_id);

ALTER TABLE ONLY messages.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (phone_number_id, key);

ALTER TABLE ONLY messages.inbound
    ADD CONSTRAINT inbound_pkey PRIMARY KEY (at, wamid);

ALTER TABLE ONLY messages.inbound_default
    ADD CONSTRAINT inbound_default_pkey PRIMARY KEY (at, wamid);

ALTER TABLE ONLY messages.lease_renewals
    ADD CONSTRAINT lease_renewals_pkey PRIMARY KEY (phone_number_id);

ALTER TABLE ONLY messages.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (phone_number_id);

ALTER TABLE ONLY messages.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (message_id);

ALTER TABLE ONLY messages.numbers
    ADD CONSTRAINT numbers_pkey PRIMARY KEY (phone_number_id);

ALTER TABLE ONLY messages.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY messages.recoveries
    ADD CONSTRAINT recoveries_pkey PRIMARY KEY (since);

ALTER TABLE ONLY messages.unparsed_updates
    ADD CONSTRAINT unparsed_updates_pkey PRIMARY KEY (id);

CREATE INDEX idempotency_keys_created_at ON messages.idempotency_keys USING btree (created_at);

CREATE INDEX inbound_passing ON ONLY messages.inbound USING btree (received_at) WHERE (pass_through AND (message_json IS NOT NULL));

CREATE INDEX inbound_default_received_at_idx ON messages.inbound_default USING btree (received_at) WHERE (pass_through AND (message_json IS NOT NULL));

CREATE INDEX leases_changed_in ON messages.leases USING btree (changed_in);

CREATE INDEX messages_accepted ON ONLY messages.messages USING btree (phone_number_id, lane, seq) WHERE (open_state = 'accepted'::text);

CREATE INDEX messages_due ON ONLY messages.messages USING btree (due_at) WHERE (open_state = ANY (ARRAY['sending'::text, 'unknown'::text]));

CREATE INDEX messages_expiry ON ONLY messages.messages USING btree (expires_at) WHERE (open_state = ANY (ARRAY['accepted'::text, 'waiting'::text]));

CREATE INDEX messages_holds ON ONLY messages.messages USING btree (phone_number_id, recipient, lane, seq) WHERE (open_state = 'waiting'::text);

CREATE INDEX messages_quotes ON ONLY messages.messages USING btree (phone_number_id) WHERE ((open_state = ANY (ARRAY['accepted'::text, 'waiting'::text])) AND (context_message_id IS NOT NULL));

CREATE INDEX messages_recipient ON ONLY messages.messages USING btree (recipient, message_id);

CREATE INDEX messages_sending ON ONLY messages.messages USING btree (phone_number_id, term) WHERE (open_state = 'sending'::text);

CREATE INDEX messages_users ON ONLY messages.messages USING btree (phone_number_id, lane, recipient COLLATE "C", seq) WHERE (open_state = 'accepted'::text);

CREATE INDEX messages_waiting ON ONLY messages.messages USING btree (phone_number_id, lane, due_at) WHERE (open_state = 'waiting'::text);

CREATE INDEX messages_wamid ON ONLY messages.messages USING btree (wamid) WHERE (wamid IS NOT NULL);

CREATE INDEX numbers_changed_in ON messages.numbers USING btree (changed_in);

CREATE UNIQUE INDEX numbers_display_phone_number ON messages.numbers USING btree (display_phone_number) WHERE (removed_at IS NULL);

ALTER INDEX messages.inbound_pkey ATTACH PARTITION messages.inbound_default_pkey;

ALTER INDEX messages.inbound_passing ATTACH PARTITION messages.inbound_default_received_at_idx;

ALTER TABLE ONLY messages.numbers
    ADD CONSTRAINT numbers_waba_id_fkey FOREIGN KEY (waba_id) REFERENCES messages.accounts(waba_id);
