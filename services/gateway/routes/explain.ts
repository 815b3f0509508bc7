// POST /heliograph/v1/explain?number=…: what would become of a message, or of a campaign, if it were sent now. Nothing is sent.
// Bodies and headers are those of a real send, so that what was explained can be posted as it is.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { type ParsedSend, parseSend } from "#dialects/cloud-send.ts";
import { type BodyRefusal, toCampaignJson, toExplanationJson } from "#dialects/explain-json.ts";
import type { Client } from "#lib/grpc.ts";
import { Lane, type MessagesService, type Number as PhoneNumber } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { authenticate } from "../authenticate.ts";
import { cloudFault } from "../errors.ts";
import type { Numbers } from "../numbers.ts";
import { jsonBody } from "../request-body.ts";
import { withRetries } from "../retries.ts";
import { parseSendHeaders, type SendHeaders } from "../send-headers.ts";
import type { Tokens } from "../tokens.ts";

export type ExplainDependencies = {
  messages: Pick<Client<typeof MessagesService>, "explain">;
  numbers: Pick<Numbers, "get">;
  tokens: Tokens;
  now: () => Date;
  /** Draws an id as a message that arrives now would get it. */
  drawMessageId: (now: Date) => string;
};

type Message = Extract<ParsedSend, { kind: "message" }>;

const lanes = { reply: Lane.REPLY, bulk: Lane.BULK };
const mostMessages = 5_000;
// Enough for that many templates with their parameters.
const bodyLimitBytes = 4 * 1_024 * 1_024;
// A campaign asks every peer once, each within 2 s.
const deadlineMs = 10_000;

export function addExplainRoute(app: FastifyInstance, dependencies: ExplainDependencies): void {
  const options = { onRequest: authenticate(dependencies.tokens), bodyLimit: bodyLimitBytes };
  app.post<{ Querystring: Record<string, unknown> }>("/heliograph/v1/explain", options, async (request) => {
    const body = jsonBody(request);
    const number = await dependencies.numbers.get(parseNumber(request.query));
    const headers = parseSendHeaders(request.headers);
    const campaign = parseCampaign(body);
    const explained = { ...dependencies, number, headers };
    return campaign === undefined ? explainOne(explained, body) : explainCampaign(explained, campaign);
  });
}

function parseNumber({ number }: FastifyRequest<{ Querystring: Record<string, unknown> }>["query"]): string {
  if (typeof number === "string" && /^\d{1,32}$/.test(number)) return number;
  throw cloudFault("parameter_invalid", "query.number must be the phone number id that would send");
}

const campaignSchema = z.object({ messages: z.array(z.unknown()).min(1).max(mostMessages) });

/** Undefined for a body that is a message. */
function parseCampaign(body: unknown): unknown[] | undefined {
  if (typeof body !== "object" || body === null || !("messages" in body)) return undefined;
  const { data } = campaignSchema.safeParse(body);
  if (data !== undefined) return data.messages;
  throw cloudFault("parameter_invalid", `messages must be a list of 1 to ${mostMessages} bodies`);
}

type Explained = ExplainDependencies & { number: PhoneNumber; headers: SendHeaders };

/** Throws what a real send would throw for such a body. */
async function explainOne(explained: Explained, body: unknown) {
  const parsed = parseMessage(body, explained.number);
  if ("reason" in parsed) throw cloudFault(parsed.reason, parsed.details);
  return toExplanationJson(await ask(explained, [parsed]), explained.now());
}

async function explainCampaign(explained: Explained, bodies: readonly unknown[]) {
  const parsed = bodies.map((body) => parseMessage(body, explained.number));
  const messages = parsed.flatMap((one) => ("reason" in one ? [] : [one]));
  const response = messages.length === 0 ? undefined : await ask(explained, messages);
  const places = parsed.map((one) => ("reason" in one ? one : undefined));
  return toCampaignJson(places, response, explained.now());
}

function parseMessage(body: unknown, { displayPhoneNumber }: PhoneNumber): Message | BodyRefusal {
  const parsed = parseSend(body);
  switch (parsed.kind) {
    case "refusal":
      return { to: "", reason: parsed.reason, details: parsed.details };
    case "read":
      return { to: "", reason: "parameter_invalid", details: "a mark as read is no message: nothing decides about it" };
    case "message":
      if (parsed.to !== displayPhoneNumber) return parsed;
      return { to: parsed.to, reason: "recipient_is_sender", details: "to is the sending number itself" };
  }
}

/** The category, and the lane that follows from it, are found by who decides. */
function ask({ messages, number, headers, now, drawMessageId }: Explained, asked: readonly Message[]) {
  const at = now();
  const requests = asked.map(({ to, content, callbackData }) => ({
    messageId: drawMessageId(at),
    phoneNumberId: number.phoneNumberId,
    recipient: to,
    content,
    campaign: headers.campaign,
    ttlSeconds: headers.ttlSeconds,
    clientCallbackData: callbackData,
    ...(headers.lane !== undefined && { lane: lanes[headers.lane] }),
  }));
  return withRetries(() => messages.explain({ messages: requests }, { deadlineMs }));
}
