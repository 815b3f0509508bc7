// The ledger's rows: a list by filters, or one message with its history.
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ServiceError } from "#lib/errors.ts";
import { createClient } from "#lib/grpc.ts";
import { toMessageJson } from "#dialects/message-json.ts";
import { type Message, MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { toWamid } from "#dialects/message-id.ts";
import type { Filter } from "../args.ts";
import type { Context } from "../context.ts";
import { exitCodes } from "../errors.ts";
import { findNumberId } from "../numbers.ts";
import { json, list, table } from "../render.ts";
import { laneWord, stateWord, timeText } from "../wire.ts";

const largestPage = 200;
// The ledger counts no further, for one message and in lists.
const mostAhead = { alone: 1_000, listed: 100 };

export async function listMessages(filter: Filter, context: Context): Promise<number> {
  const messages = await loadMessages(filter, context);
  context.out(context.json ? json(messages.map(toMessageJson)) : listText(messages));
  return exitCodes.ok;
}

async function loadMessages(filter: Filter, context: Context): Promise<Message[]> {
  const { number, to = "", state, template = "", campaign = "", since, limit } = filter;
  const phoneNumberId = number === undefined ? "" : await findNumberId(number, context);
  await using service = createClient(MessagesService, context.places.messages(), { tls: context.tls.grpc });
  const found: Message[] = [];
  let pageToken = "";
  do {
    const page = await service.listMessages(
      {
        phoneNumberId,
        recipient: to,
        templateName: template,
        campaign,
        pageSize: Math.min(limit - found.length, largestPage),
        pageToken,
        ...(state !== undefined && { state }),
        ...(since !== undefined && { from: timestampFromDate(since) }),
      },
      { signal: context.signal },
    );
    found.push(...page.messages);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && found.length < limit);
  return found.slice(0, limit);
}

function listText(messages: readonly Message[]): string {
  if (messages.length === 0) return "no such messages";
  return table(messages, [
    { title: "id", of: ({ messageId }) => messageId },
    { title: "accepted", of: ({ acceptedAt }) => timeText(acceptedAt) },
    { title: "number", of: ({ phoneNumberId }) => phoneNumberId },
    { title: "to", of: ({ recipient }) => recipient },
    { title: "state", of: ({ state }) => stateWord(state) },
    { title: "why", of: (message) => heldBy(message, mostAhead.listed) || whyOf(message) },
    { title: "template", of: ({ templateName }) => templateName },
    { title: "campaign", of: ({ campaign }) => campaign },
  ]);
}

export async function showMessage(messageId: string, context: Context): Promise<number> {
  const { places, tls, json: asJson, out, signal } = context;
  await using service = createClient(MessagesService, places.messages(), { tls: tls.grpc });
  const { message } = await service.getMessage({ messageId }, { signal });
  if (message === undefined) throw new ServiceError("NOT_FOUND", "message_unknown", `there is no message ${messageId}`);
  out(asJson ? json(toMessageJson(message)) : messageText(message));
  return exitCodes.ok;
}

function messageText(message: Message): string {
  const { messageId, attempt, term, pricing } = message;
  const facts = list([
    ["id", messageId],
    ["api id", toWamid(messageId)],
    ["whatsapp id", message.wamid],
    ["number", message.phoneNumberId],
    ["to", message.recipient],
    ["state", stateWord(message.state)],
    ["why", whyOf(message)],
    ["held by", heldBy(message, mostAhead.alone)],
    ["lane", laneWord(message.lane)],
    ["campaign", message.campaign],
    ["template", message.templateName],
    ["category", message.category],
    ["attempt", attempt === 0 ? "" : `${attempt}, under term ${term}`],
    ["accepted", timeText(message.acceptedAt)],
    ["due", timeText(message.dueAt)],
    ["sending", timeText(message.sendingAt)],
    ["sent", timeText(message.sentAt)],
    ["delivered", timeText(message.deliveredAt)],
    ["read", timeText(message.readAt)],
    ["failed", timeText(message.failedAt)],
    ["expires", timeText(message.expiresAt)],
    ["price", pricing === undefined ? "" : `${pricing.category} ${pricing.billable ? "billable" : "free"}`.trim()],
    ["callback data", message.clientCallbackData],
  ]);
  return message.history.length === 0 ? facts : `${facts}\n\n${historyText(message)}`;
}

function historyText({ history }: Message): string {
  return table(history, [
    { title: "at", of: ({ at }) => timeText(at) },
    { title: "state", of: ({ state }) => stateWord(state) },
    { title: "attempt", of: ({ attempt }) => numberText(attempt), isNumber: true },
    { title: "term", of: ({ term }) => numberText(term), isNumber: true },
    { title: "why", of: ({ reason }) => reason },
  ]);
}

function numberText(value: number | bigint): string {
  return Number(value) === 0 ? "" : String(value);
}

/** What keeps it from being sent, as it was when it was asked for. */
function heldBy({ hold }: Message, most: number): string {
  if (hold === undefined) return "";
  const { reason, until, ahead } = hold;
  if (ahead > 0) return `${reason}: ${ahead}${ahead >= most ? "+" : ""} ahead`;
  return until === undefined ? reason : `${reason} until ${timeText(until)}`;
}

/** Our word, and WhatsApp's error where there is one. */
function whyOf({ reason, error }: Message): string {
  const told = error === undefined ? "" : `${error.code} ${error.details || error.message || error.title}`.trim();
  return [reason, told].filter((part) => part !== "").join(": ");
}
