-- Made by `npm run generate` from migrations/. Do not edit.

CREATE SCHEMA billing;

CREATE TABLE billing.windows (
    phone_number_id text NOT NULL,
    user_id text NOT NULL,
    closes_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY billing.windows
    ADD CONSTRAINT windows_pkey PRIMARY KEY (phone_number_id, user_id);
