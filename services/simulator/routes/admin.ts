// /admin: the hand that holds the world. No login: the simulator is for tests and first tries, on loopback.
import { z } from "zod";
import type { Simulation } from "../simulation.ts";
import { addFaults, listFaults, removeFaults, replaceFaults } from "./admin-faults.ts";
import {
  changeAccount,
  changeNumber,
  changeTemplate,
  listAccounts,
  listNumbers,
  listTemplates,
} from "./admin-accounts.ts";
import { exportState, listMessages } from "./admin-messages.ts";
import { changePhone, listPhones, listReceived, readPhone, writeAsUser } from "./admin-phones.ts";
import { changeSettings, readSettings } from "./admin-settings.ts";

export type AdminRequest = {
  method: string;
  /** After /admin/, decoded. */
  segments: readonly string[];
  query: URLSearchParams;
  body: unknown;
};

/** `chunks` for what is too large for one text. */
export type AdminReply = { status: number; body: unknown } | { status: number; chunks: Iterable<string> };

export type AdminHandler = (sim: Simulation, request: AdminRequest, name: string) => AdminReply;

/** `*` stands for the name that the handler gets. */
const routes: Readonly<Record<string, AdminHandler>> = {
  "GET settings": readSettings,
  "PUT settings": changeSettings,
  "GET faults": listFaults,
  "PUT faults": replaceFaults,
  "POST faults": addFaults,
  "DELETE faults": removeFaults,
  "DELETE faults/*": removeFaults,
  "GET phones": listPhones,
  "GET phones/*": readPhone,
  "PUT phones/*": changePhone,
  "GET phones/*/messages": listReceived,
  "POST phones/*/messages": writeAsUser,
  "GET messages": listMessages,
  "GET accounts": listAccounts,
  "PUT accounts/*": changeAccount,
  "GET numbers": listNumbers,
  "PUT numbers/*": changeNumber,
  "GET templates": listTemplates,
  "PUT templates/*": changeTemplate,
  "GET state": exportState,
  "POST reset": reset,
};

export function answerAdmin(sim: Simulation, request: AdminRequest): AdminReply {
  const [area = "", name, ...rest] = request.segments;
  const path = name === undefined ? area : [area, "*", ...rest].join("/");
  const handler = routes[`${request.method} ${path}`];
  if (handler !== undefined) return handler(sim, request, name ?? "");
  return {
    status: 404,
    body: { error: "no such route", routes: Object.keys(routes).map((route) => route.replace(" ", " /admin/")) },
  };
}

function reset(sim: Simulation): AdminReply {
  sim.reset();
  return ok({ success: true });
}

export function ok(body: unknown): AdminReply {
  return { status: 200, body };
}

export function missing(what: string): AdminReply {
  return { status: 404, body: { error: `${what} is unknown` } };
}

/** One line that names each field and what is wrong with it. */
export function invalid({ issues }: z.ZodError): AdminReply {
  const faults = issues.map(({ path, message }) => `${z.core.toDotPath(path)} ${message}`.trim());
  return { status: 400, body: { error: faults.join("; ") } };
}

/** A page of rows by `after` (an index from the last page's `next`) and `limit`. */
export function pageOf<T>(
  rows: readonly T[],
  query: URLSearchParams,
  defaultLimit: number,
): { rows: T[]; next: number | null } {
  const start = Number(query.get("after") ?? 0) || 0;
  const limit = query.has("limit") ? Math.max(0, Number(query.get("limit")) || 0) : defaultLimit;
  const end = start + limit;
  return { rows: rows.slice(start, end), next: end < rows.length ? end : null };
}
