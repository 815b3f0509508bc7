// Whether the app hears of an account, and at which address: without a subscription nothing is delivered.
import type { Simulation } from "../simulation.ts";
import type { Account } from "../store.ts";
import type { GraphReply, GraphRequest } from "./graph.ts";

export function listSubscribedApps({ store }: Simulation, account: Account): GraphReply {
  const { id, name } = store.app;
  const app = {
    whatsapp_business_api_data: { id, name, link: `https://www.facebook.com/games/?app_id=${id}` },
    ...(account.overrideUrl !== undefined && { override_callback_uri: account.overrideUrl }),
  };
  return { body: { data: account.subscribed ? [app] : [] } };
}

const maxUrlLength = 200;

/** POST with an `override_callback_uri` sets the account's own address once that has passed the handshake; without, removes it. */
export async function changeSubscribedApps(
  { callbacks }: Simulation,
  account: Account,
  { method, query, body }: GraphRequest,
): Promise<GraphReply> {
  if (method === "DELETE") {
    account.subscribed = false;
    account.overrideUrl = undefined;
    return { body: { success: true } };
  }
  const url = parameter("override_callback_uri", query, body);
  if (url !== undefined) {
    if (url.length > maxUrlLength || !URL.canParse(url)) {
      return { error: { code: 100, details: "override_callback_uri is not a URL of at most 200 characters" } };
    }
    if (!(await callbacks.verify(url, parameter("verify_token", query, body) ?? ""))) {
      return { error: { code: 2200, details: "override_callback_uri did not answer the challenge" } };
    }
  }
  account.subscribed = true;
  account.overrideUrl = url;
  return { body: { success: true } };
}

function parameter(name: string, query: URLSearchParams, body: unknown): string | undefined {
  const given: unknown = typeof body === "object" && body !== null ? Reflect.get(body, name) : undefined;
  return typeof given === "string" ? given : (query.get(name) ?? undefined);
}
