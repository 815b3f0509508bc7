-- Made by `npm run generate` from migrations/. Do not edit.

CREATE SCHEMA gateway;

CREATE TABLE gateway.tokens (
    token_hash bytea NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone
);

ALTER TABLE ONLY gateway.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (token_hash);
