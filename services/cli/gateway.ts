// The REST API as a client sees it.
import { z } from "zod";
import { fromWamid } from "#dialects/message-id.ts";
import { type Code, ServiceError } from "#lib/errors.ts";

export type Gateway = {
  /** Without a slash at the end. */
  url: string;
  token: string;
  signal: AbortSignal;
};

export type Accepted = {
  /** The ledger's. */
  messageId: string;
  /** The same as clients of the Cloud API see it. */
  id: string;
};

const acceptedSchema = z.object({ messages: z.tuple([z.object({ id: z.string() })]) });
const errorSchema = z.object({
  error: z.object({
    code: z.number(),
    message: z.string(),
    error_data: z.object({ details: z.string().optional() }).optional(),
  }),
});

const answerMs = 15_000;

/** Posts once. Throws ServiceError: refused, or with an open outcome and the key to repeat it with. */
export async function postMessage(
  gateway: Gateway,
  phoneNumberId: string,
  body: object,
  headers: Record<string, string>,
): Promise<Accepted> {
  const repeatWith = ` To repeat it safely: --idempotency-key ${headers["Idempotency-Key"] ?? ""}`;
  const { status, text } = await ask(gateway, `/v24.0/${phoneNumberId}/messages`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  }).catch((error: unknown) => {
    throw unreachable(gateway, error, `; it is open whether the message was taken.${repeatWith}`);
  });
  const { data, error } = acceptedSchema.safeParse(parseJson(text));
  if (status !== 200 || data === undefined) {
    const hint = status === 200 || status >= 500 ? `.${repeatWith}` : "";
    throw new ServiceError(codeOf(status), "refused", `${refusalText(status, text)}${hint}`, { cause: error });
  }
  const { id } = data.messages[0];
  return { messageId: fromWamid(id) ?? id, id };
}

const messageSchema = z.looseObject({ state: z.string(), reason: z.string().default("") });

/** A message as the REST API shows it. */
export type ShownMessage = z.output<typeof messageSchema>;

/** Undefined while the gateway, or what is behind it, is away. */
export async function fetchMessage(gateway: Gateway, messageId: string): Promise<ShownMessage | undefined> {
  const answer = await ask(gateway, `/heliograph/v1/messages/${messageId}`, {}).catch(() => undefined);
  if (answer === undefined || answer.status >= 500) return undefined;
  if (answer.status !== 200)
    throw new ServiceError(codeOf(answer.status), "refused", refusalText(answer.status, answer.text));
  return messageSchema.parse(parseJson(answer.text));
}

const verdictSchema = z.looseObject({
  to: z.string(),
  verdict: z.string(),
  reason: z.string().default(""),
  details: z.string().default(""),
  remedy: z.string().default(""),
  error: z.object({ code: z.number(), title: z.string() }).optional(),
  earliestAt: z.string().nullish(),
  waitsFor: z.string().default(""),
  window: z.object({ open: z.boolean(), closesAt: z.string().nullable(), leftSeconds: z.number() }).optional(),
  category: z.string().default(""),
  priceUnknown: z.string().default(""),
  lane: z.string().default(""),
});
const counts = z.record(z.string(), z.number());
const explainedSchema = z.looseObject({
  summary: z.object({
    total: z.number(),
    allowed: z.number(),
    withinDay: z.number(),
    refused: counts,
    unknown: counts,
    lastAllowedAt: z.string().nullable(),
    lastAt: z.string().nullable(),
  }),
  limit: z.object({ limit: z.number().nullable(), used: z.number(), usedAfter: z.number() }).optional(),
  messages: z.array(verdictSchema),
});

/** What the REST API tells of messages that are not sent. */
export type Explained = z.output<typeof explainedSchema>;

/** Throws ServiceError. Repeating it is harmless. */
export async function postExplain(
  gateway: Gateway,
  phoneNumberId: string,
  messages: readonly object[],
  headers: Record<string, string>,
): Promise<Explained> {
  const { status, text } = await ask(gateway, `/heliograph/v1/explain?number=${phoneNumberId}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify({ messages }),
  }).catch((error: unknown) => {
    throw unreachable(gateway, error, "");
  });
  if (status !== 200) throw new ServiceError(codeOf(status), "refused", refusalText(status, text));
  return explainedSchema.parse(parseJson(text));
}

type Answer = { status: number; text: string };

async function ask({ url, token, signal }: Gateway, path: string, init: RequestInit): Promise<Answer> {
  const headers = { ...Object.fromEntries(new Headers(init.headers)), authorization: `Bearer ${token}` };
  const ending = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
  const response = await fetch(`${url}${path}`, { ...init, headers, signal: ending });
  return { status: response.status, text: await response.text() };
}

function unreachable({ url }: Gateway, error: unknown, consequence: string): ServiceError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const why = code || (cause instanceof Error ? cause.message : String(cause));
  const isRefused = code === "ECONNREFUSED" || code === "ENOTFOUND";
  const message = `no answer from the gateway at ${url}: ${why}${isRefused ? "" : consequence}`;
  return new ServiceError("UNAVAILABLE", "gateway_unavailable", message, { cause: error });
}

/** Meta's error, as far as the answer is one. */
function refusalText(status: number, text: string): string {
  const { data } = errorSchema.safeParse(parseJson(text));
  if (data === undefined) return `the gateway answered HTTP ${status}`;
  const { code, message, error_data: more } = data.error;
  const told = message.includes(String(code)) ? message : `(#${code}) ${message}`;
  return `HTTP ${status}: ${told}${more?.details === undefined ? "" : `: ${more.details}`}`;
}

function codeOf(status: number): Code {
  if (status === 401) return "UNAUTHENTICATED";
  if (status === 404) return "NOT_FOUND";
  if (status === 429) return "RESOURCE_EXHAUSTED";
  return status >= 500 ? "UNAVAILABLE" : "INVALID_ARGUMENT";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
