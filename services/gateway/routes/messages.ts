// POST /{version}/{phone-number-id}/messages of the Cloud dialect: send a message, or mark one as read.
// What depends on the moment (window, limits, price) is decided later and comes back as a failed status.
import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { laneOf } from "#admission/domain/lane.ts";
import { isCloudReason } from "#dialects/cloud-errors.ts";
import { type ParsedSend, parseSend } from "#dialects/cloud-send.ts";
import { fromWamid, toWamid } from "#dialects/message-id.ts";
import { ServiceError } from "#lib/errors.ts";
import { faultPoint } from "#lib/fault-points.ts";
import type { Client } from "#lib/grpc.ts";
import { withRemoteSpan } from "#lib/telemetry.ts";
import type { TemplateMessage } from "#proto/heliograph/messages/v1/content_pb.ts";
import { Lane, type MessagesService, type Number as PhoneNumber } from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import { authenticate } from "../authenticate.ts";
import { cloudFault } from "../errors.ts";
import type { Numbers } from "../numbers.ts";
import { jsonBody, rawBody } from "../request-body.ts";
import { tryDeadlineMs, withRetries } from "../retries.ts";
import { parseSendHeaders, type SendHeaders } from "../send-headers.ts";
import type { Tokens } from "../tokens.ts";
import type { Upstreams } from "../upstreams.ts";

export type MessagesDependencies = {
  messages: Pick<Client<typeof MessagesService>, "send">;
  templates: Pick<Client<typeof TemplatesService>, "checkTemplateMessage">;
  numbers: Pick<Numbers, "get">;
  upstreams: Upstreams;
  tokens: Tokens;
  now: () => Date;
  /** Draws the id of a message that arrives now. */
  drawMessageId: (now: Date) => string;
};

type Route = { Params: { version: string; phoneNumberId: string } };
type Message = Extract<ParsedSend, { kind: "message" }>;
type Read = Extract<ParsedSend, { kind: "read" }>;

const lanes = { reply: Lane.REPLY, bulk: Lane.BULK };

export function addMessagesRoute(app: FastifyInstance, dependencies: MessagesDependencies): void {
  const path = "/:version(^v\\d+\\.\\d+$)/:phoneNumberId/messages";
  app.post<Route>(path, { onRequest: authenticate(dependencies.tokens) }, (request, reply) => {
    const { version, phoneNumberId } = request.params;
    reply.header("facebook-api-version", version);
    const traceparent = request.headers["traceparent"];
    return withRemoteSpan("POST messages", typeof traceparent === "string" ? traceparent : undefined, () =>
      handle(dependencies, phoneNumberId, request),
    );
  });
}

async function handle(dependencies: MessagesDependencies, phoneNumberId: string, request: FastifyRequest) {
  const json = jsonBody(request);
  const number = await dependencies.numbers.get(phoneNumberId);
  const parsed = parseSend(json);
  switch (parsed.kind) {
    case "refusal":
      throw cloudFault(parsed.reason, parsed.details);
    case "read":
      return markRead(dependencies, number, parsed);
    case "message":
      if (request.headers["idempotency-key"] === "") {
        throw cloudFault("parameter_invalid", "header idempotency-key must not be empty");
      }
      return send(dependencies, number, parsed, parseSendHeaders(request.headers), rawBody(request));
  }
}

async function send(
  { messages, templates, now, drawMessageId }: MessagesDependencies,
  number: PhoneNumber,
  message: Message,
  headers: SendHeaders,
  body: Buffer,
) {
  const { to, toInput, content, callbackData } = message;
  if (to === number.displayPhoneNumber) throw cloudFault("recipient_is_sender", "to is the sending number itself");
  const template = content.kind.case === "template" ? content.kind.value : undefined;
  const category = template === undefined ? "" : await checkTemplate(templates, number.wabaId, template);
  const request = {
    messageId: drawMessageId(now()),
    phoneNumberId: number.phoneNumberId,
    recipient: to,
    content,
    lane: lanes[laneOf(headers.lane, category)],
    campaign: headers.campaign,
    ttlSeconds: headers.ttlSeconds,
    clientCallbackData: callbackData,
    category,
    ...(headers.idempotencyKey !== undefined && {
      idempotency: { key: headers.idempotencyKey, bodyHash: createHash("sha256").update(body).digest() },
    }),
  };
  faultPoint("call.send.before");
  const { messageId } = await withRetries(() => messages.send(request, { deadlineMs: tryDeadlineMs }));
  faultPoint("call.send.after");
  return {
    messaging_product: "whatsapp",
    contacts: [{ input: toInput, wa_id: to }],
    messages: [{ id: toWamid(messageId), ...(template !== undefined && { message_status: "accepted" }) }],
  };
}

/** The template's category. Throws what the templates service refuses. */
async function checkTemplate(
  templates: MessagesDependencies["templates"],
  wabaId: string,
  message: TemplateMessage,
): Promise<string> {
  const { verdict } = await withRetries(() =>
    templates.checkTemplateMessage({ wabaId, message }, { deadlineMs: tryDeadlineMs }),
  );
  switch (verdict.case) {
    case "sendable":
      return verdict.value.category;
    case "refusal": {
      const { reason, details } = verdict.value;
      throw cloudFault(isCloudReason(reason) ? reason : "parameter_invalid", details);
    }
    case undefined:
      throw new Error("the templates service gave no verdict");
  }
}

async function markRead({ upstreams }: MessagesDependencies, number: PhoneNumber, { wamid, typing }: Read) {
  if (fromWamid(wamid) !== undefined) {
    throw cloudFault("content_invalid", "message_id must be that of a received message");
  }
  const address = number.connection?.connected === true ? number.connection.address : "";
  if (address === "") throw disconnected(number);
  try {
    await upstreams.at(address).markRead({ wamid, typing });
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (error.reason === "upstream_refused") throw cloudFault("content_invalid", error.message, { cause: error });
    if (error.code === "UNAVAILABLE" && error.reason !== "upstream_unavailable") throw disconnected(number, error);
    throw error;
  }
  return { success: true };
}

function disconnected({ phoneNumberId }: PhoneNumber, cause?: unknown): ServiceError {
  const details = `number ${phoneNumberId} is not connected at the moment`;
  return cloudFault("number_disconnected", details, { retryAfterMs: 5_000, ...(cause !== undefined && { cause }) });
}
