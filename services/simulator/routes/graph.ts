// The Graph API: who asks, which node, which edge. What is not simulated answers as Graph does for what does not exist.
import { type GraphError, graphErrorBody, httpStatusOf, unsupportedRequest } from "../domain/graph-error.ts";
import type { Simulation } from "../simulation.ts";
import { sendOrMarkRead } from "./messages.ts";
import { readAccount, readBusiness, readNumber, readTemplate } from "./nodes.ts";
import { changeSubscribedApps, listSubscribedApps } from "./subscribed-apps.ts";
import { listNumbers, listTemplates } from "./edges.ts";

export type GraphRequest = {
  method: string;
  /** Without query; with the version, if one was given. */
  path: string;
  /** 24 for v24.0. */
  version: number;
  nodeId: string;
  /** Empty for the node itself. */
  edge: string;
  query: URLSearchParams;
  /** The parsed JSON or form; undefined if there was none. */
  body: unknown;
  authorization: string | undefined;
  /** Scheme and host under which the client reached us, for paging links. */
  origin: string;
};

export type GraphReply = { body: object } | { error: GraphError };

/** What `facebook-api-version` says, and what a path without a version gets. */
export const defaultVersion = 24;

export function answerGraph(sim: Simulation, request: GraphRequest): GraphReply | Promise<GraphReply> {
  const refusal = tokenError(sim, request);
  if (refusal !== undefined) return { error: refusal };
  return route(sim, request) ?? { error: unsupportedRequest(request.method, request.nodeId) };
}

function tokenError({ settings, store }: Simulation, { authorization, query }: GraphRequest): GraphError | undefined {
  const token = /^(?:Bearer|OAuth) +(\S+)$/i.exec(authorization ?? "")?.[1] ?? query.get("access_token");
  if (token === null) return { code: 104 };
  if (settings.tokenRevoked) {
    return { code: 190, subcode: 460, message: "Error validating access token: the token has been revoked" };
  }
  if (store.app.accessTokens.includes(token)) return undefined;
  return { code: 190, message: "Invalid OAuth access token - Cannot parse access token" };
}

function route(sim: Simulation, request: GraphRequest): GraphReply | Promise<GraphReply> | undefined {
  const { store } = sim;
  const { nodeId, edge, method, query } = request;
  const number = store.numbers.get(nodeId);
  if (number !== undefined) {
    if (edge === "messages" && method === "POST") return sendOrMarkRead(sim, number, request);
    return edge === "" && method === "GET" ? readNumber(number, query) : undefined;
  }
  const account = store.accounts.get(nodeId);
  if (account === undefined) return method === "GET" && edge === "" ? readOther(sim, request) : undefined;
  switch (`${method} ${edge}`) {
    case "GET ":
      return readAccount(account, query);
    case "GET phone_numbers":
      return listNumbers(account, request);
    case "GET message_templates":
      return listTemplates(account, request);
    case "GET subscribed_apps":
      return listSubscribedApps(sim, account);
    case "POST subscribed_apps":
    case "DELETE subscribed_apps":
      return changeSubscribedApps(sim, account, request);
    default:
      return undefined;
  }
}

function readOther({ store }: Simulation, { nodeId, query }: GraphRequest): GraphReply | undefined {
  const business = store.businesses.find(({ id }) => id === nodeId);
  if (business !== undefined) return readBusiness(business, query);
  for (const account of store.accounts.values()) {
    for (const template of account.templates.values()) if (template.id === nodeId) return readTemplate(template, query);
  }
  return undefined;
}

/** The HTTP status and body of a reply. */
export function toHttp(sim: Simulation, reply: GraphReply): { status: number; body: string } {
  if ("body" in reply) return { status: 200, body: JSON.stringify(reply.body) };
  const { error } = reply;
  const throttled = error.code === 130429 || error.code === 131056;
  return {
    status: throttled ? sim.settings.limits.httpStatus : httpStatusOf(error.code),
    body: JSON.stringify(graphErrorBody(error, sim.nextTraceId())),
  };
}
