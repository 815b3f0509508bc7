// The Graph API: who asks, which node, which edge. What is not simulated answers as Graph does for what does not exist.
import { type GraphError, graphErrorBody, httpStatusOf, unsupportedRequest } from "../domain/graph-error.ts";
import type { Simulation } from "../simulation.ts";
import { type Account, loadTemplateById, type PhoneNumber } from "../store.ts";
import { debugToken, tokenFault } from "./debug-token.ts";
import { listNumbers, listTemplates } from "./edges.ts";
import { sendOrMarkRead } from "./messages.ts";
import { readAccount, readBusiness, readNumber, readTemplate } from "./nodes.ts";
import { changeNumberSettings, deregisterNumber, registerNumber } from "./registration.ts";
import { changeSubscribedApps, listSubscribedApps } from "./subscribed-apps.ts";
import { createTemplate, deleteTemplates, editTemplate, unpauseTemplate } from "./templates.ts";

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

function tokenError(sim: Simulation, { authorization, query }: GraphRequest): GraphError | undefined {
  const token = /^(?:Bearer|OAuth) +(\S+)$/i.exec(authorization ?? "")?.[1] ?? query.get("access_token");
  return token === null ? { code: 104 } : tokenFault(sim, token);
}

type Answer = GraphReply | Promise<GraphReply> | undefined;

function route(sim: Simulation, request: GraphRequest): Answer {
  const { numbers, accounts } = sim.store;
  const number = numbers.get(request.nodeId);
  if (number !== undefined) return routeNumber(sim, number, request);
  const account = accounts.get(request.nodeId);
  return account === undefined ? routeOther(sim, request) : routeAccount(sim, account, request);
}

function routeNumber(sim: Simulation, number: PhoneNumber, request: GraphRequest): Answer {
  switch (`${request.method} ${request.edge}`) {
    case "POST messages":
      return sendOrMarkRead(sim, number, request);
    case "GET ":
      return readNumber(number, request.query, sim.store.app.id);
    case "POST ":
      return changeNumberSettings(sim, number, request);
    case "POST register":
      return registerNumber(sim, number, request);
    case "POST deregister":
      return deregisterNumber(sim, number);
    default:
      return undefined;
  }
}

function routeAccount(sim: Simulation, account: Account, request: GraphRequest): Answer {
  const { id: appId } = sim.store.app;
  switch (`${request.method} ${request.edge}`) {
    case "GET ":
      return readAccount(account, request.query, appId);
    case "GET phone_numbers":
      return listNumbers(account, request, appId);
    case "GET message_templates":
      return listTemplates(account, request);
    case "POST message_templates":
      return createTemplate(sim, account, request);
    case "DELETE message_templates":
      return deleteTemplates(sim, account, request);
    case "GET subscribed_apps":
      return listSubscribedApps(sim, account);
    case "POST subscribed_apps":
    case "DELETE subscribed_apps":
      return changeSubscribedApps(sim, account, request);
    default:
      return undefined;
  }
}

function routeOther(sim: Simulation, request: GraphRequest): Answer {
  const { nodeId, method, edge, query } = request;
  if (nodeId === "debug_token" && method === "GET" && edge === "") return debugToken(sim, request);
  const business = sim.store.businesses.find(({ id }) => id === nodeId);
  if (business !== undefined) return method === "GET" && edge === "" ? readBusiness(business, query) : undefined;
  const found = loadTemplateById(sim.store, nodeId);
  if (found === undefined) return undefined;
  switch (`${method} ${edge}`) {
    case "GET ":
      return readTemplate(found.template, query);
    case "POST ":
      return editTemplate(sim, found.account, found.template, request);
    case "POST unpause":
      return unpauseTemplate(sim, found.account, found.template);
    default:
      return undefined;
  }
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
