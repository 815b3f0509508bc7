-- Made by `npm run generate` from migrations/. Do not edit.

CREATE SCHEMA templates;

CREATE TABLE templates.accounts (
    waba_id text NOT NULL,
    synced_at timestamp with time zone,
    sync_due_at timestamp with time zone NOT NULL,
    sync_failures integer DEFAULT 0 NOT NULL,
    last_error text,
    changed_at timestamp with time zone
);

CREATE TABLE templates.templates (
    waba_id text NOT NULL,
    name text NOT NULL,
    language text NOT NULL,
    template_id text NOT NULL,
    category text NOT NULL,
    status text NOT NULL,
    quality text NOT NULL,
    parameter_format text NOT NULL,
    components_json text NOT NULL,
    rejected_reason text NOT NULL,
    category_at timestamp with time zone NOT NULL,
    status_at timestamp with time zone NOT NULL,
    quality_at timestamp with time zone NOT NULL,
    edits timestamp with time zone[] DEFAULT '{}'::timestamp with time zone[] NOT NULL,
    message_send_ttl_seconds integer
);

ALTER TABLE ONLY templates.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (waba_id);

ALTER TABLE ONLY templates.templates
    ADD CONSTRAINT templates_pkey PRIMARY KEY (waba_id, name, language);

CREATE INDEX accounts_sync_due ON templates.accounts USING btree (sync_due_at);

CREATE INDEX templates_id ON templates.templates USING btree (template_id);
