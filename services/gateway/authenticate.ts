// Who calls: the bearer token of every route of the API.
import type { FastifyRequest } from "fastify";
import { cloudFault } from "./errors.ts";
import type { Tokens } from "./tokens.ts";

const longest = 1_024;

/** An onRequest hook, so that the body of a stranger is never read. Throws token_invalid. */
export function authenticate(tokens: Tokens): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    const token = tokenOf(request);
    if (token === undefined) throw cloudFault("token_invalid", "an access token is needed: Authorization: Bearer …");
    if (token.length > longest || !(await tokens.isValid(token))) {
      throw cloudFault("token_invalid", "the access token is unknown, revoked or expired");
    }
  };
}

/** Graph also takes the token as a query parameter. */
function tokenOf({ headers, url }: FastifyRequest): string | undefined {
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? "") ?? [];
  if (bearer !== undefined) return bearer;
  const query = url.indexOf("?");
  return query === -1 ? undefined : (new URLSearchParams(url.slice(query)).get("access_token") ?? undefined);
}
