-- Tokens of API clients. Only their SHA-256 is kept.
create table gateway.tokens (
  token_hash bytea primary key,
  -- Who holds it; "token file" for those of API_TOKEN_FILE.
  name text not null,
  created_at timestamptz not null,
  -- Null: does not expire.
  expires_at timestamptz,
  -- Null: not revoked.
  revoked_at timestamptz
);
