// GET /debug_token: what a token is worth. Graph asks for the token of an app or its developer; here any that holds may ask.
import type { GraphError } from "../domain/graph-error.ts";
import type { Simulation } from "../simulation.ts";
import type { GraphReply, GraphRequest } from "./graph.ts";

const scopes = ["whatsapp_business_management", "whatsapp_business_messaging"];

/** Why the token holds no more; undefined: it does. */
export function tokenFault({ settings, store, now }: Simulation, token: string): GraphError | undefined {
  if (settings.tokenRevoked) {
    return { code: 190, subcode: 460, message: "Error validating access token: the token has been revoked" };
  }
  if (!store.app.accessTokens.includes(token)) {
    return { code: 190, message: "Invalid OAuth access token - Cannot parse access token" };
  }
  if (settings.tokenExpiresAt === null || now() < settings.tokenExpiresAt) return undefined;
  return { code: 190, subcode: 463, message: "Error validating access token: Session has expired" };
}

export function debugToken(sim: Simulation, { query }: GraphRequest): GraphReply {
  const { store, settings } = sim;
  const token = query.get("input_token");
  if (token === null) return { error: { code: 100, details: "input_token is missing" } };
  const fault = tokenFault(sim, token);
  if (fault !== undefined) {
    const { code, subcode, message } = fault;
    return { body: { data: { error: { code, message, subcode }, is_valid: false, scopes: [] } } };
  }
  const wabaIds = [...store.accounts.keys()];
  return {
    body: {
      data: {
        app_id: store.app.id,
        type: "SYSTEM_USER",
        application: store.app.name,
        data_access_expires_at: 0,
        expires_at: settings.tokenExpiresAt === null ? 0 : Math.floor(settings.tokenExpiresAt / 1_000),
        is_valid: true,
        issued_at: Math.floor(store.bootMs / 1_000),
        scopes,
        granular_scopes: scopes.map((scope) => ({ scope, target_ids: wabaIds })),
        user_id: store.app.id,
      },
    },
  };
}
