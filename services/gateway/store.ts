// SQL of the gateway: the tokens of API clients.
import type { Queryable } from "#lib/postgres.ts";

/** The name of the tokens that come from API_TOKEN_FILE. */
const fileTokenName = "token file";

/** The holder's name, or undefined if the token is unknown, revoked or expired. */
export async function loadTokenName(db: Queryable, tokenHash: Uint8Array, now: Date): Promise<string | undefined> {
  const { rows } = await db.query<{ name: string }>({
    name: "load_token_name",
    text: `
      select name from gateway.tokens
      where token_hash = $1 and revoked_at is null and (expires_at is null or expires_at > $2)`,
    values: [tokenHash, now],
  });
  return rows[0]?.name;
}

/** Makes exactly these the valid tokens of the token file. Repeating it changes nothing. */
export async function replaceFileTokens(db: Queryable, tokenHashes: readonly Uint8Array[], now: Date): Promise<void> {
  await db.query({
    name: "replace_file_tokens",
    text: `
      with revoked as (
        update gateway.tokens set revoked_at = $3
        where name = $2 and revoked_at is null and token_hash <> all ($1::bytea[])
      )
      insert into gateway.tokens as t (token_hash, name, created_at)
      select hash, $2, $3 from unnest($1::bytea[]) as hash
      on conflict (token_hash) do update set revoked_at = null where t.name = $2`,
    values: [tokenHashes, fileTokenName, now],
  });
}
