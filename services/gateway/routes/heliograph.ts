// Our own REST: what the ledger knows of messages, and taking them back.
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { fromWamid, isMessageId } from "#dialects/message-id.ts";
import { toMessageJson } from "#dialects/message-json.ts";
import type { Client } from "#lib/grpc.ts";
import { type MessagesService, MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { authenticate } from "../authenticate.ts";
import { cloudFault } from "../errors.ts";
import { jsonBody } from "../request-body.ts";
import { tryDeadlineMs, withRetries } from "../retries.ts";
import type { Tokens } from "../tokens.ts";

export type HeliographDependencies = {
  messages: Pick<Client<typeof MessagesService>, "getMessage" | "listMessages" | "cancelMessages">;
  tokens: Tokens;
};

// A page looks for its messages a second and a bit, a campaign may be a hundred thousand rows.
const listDeadlineMs = 5_000;
const campaignDeadlineMs = 60_000;

export function addHeliographRoutes(app: FastifyInstance, { messages, tokens }: HeliographDependencies): void {
  const options = { onRequest: authenticate(tokens) };
  const path = "/heliograph/v1/messages";

  async function load(messageId: string) {
    const { message } = await withRetries(() => messages.getMessage({ messageId }, { deadlineMs: tryDeadlineMs }));
    if (message === undefined) throw cloudFault("message_unknown", `message ${messageId} does not exist`);
    return toMessageJson(message);
  }

  app.get<{ Querystring: Query }>(path, options, async ({ query }) => {
    const request = parseQuery(query);
    const page = await withRetries(() => messages.listMessages(request, { deadlineMs: listDeadlineMs }));
    const { nextPageToken } = page;
    const found = page.messages.map(toMessageJson);
    return { messages: found, ...(nextPageToken !== "" && { nextPageToken }) };
  });

  app.get<ById>(`${path}/:id`, options, async ({ params }) => load(parseId(params.id)));

  app.delete<ById>(`${path}/:id`, options, async ({ params }) => {
    const messageId = parseId(params.id);
    // Repeating it is harmless: what is cancelled stays so.
    await withRetries(() => messages.cancelMessages({ messageId }, { deadlineMs: tryDeadlineMs }));
    return load(messageId);
  });

  app.post(`${path}/cancel`, options, async (request) => {
    const { number: phoneNumberId, campaign } = parse(cancelSchema, jsonBody(request), "body");
    const deadlineMs = campaignDeadlineMs;
    const { cancelled } = await messages.cancelMessages({ phoneNumberId, campaign }, { deadlineMs });
    return { cancelled: Number(cancelled) };
  });
}

type ById = { Params: { id: string } };

/** The UUID, or the wamid that the client was given. */
function parseId(id: string): string {
  const messageId = fromWamid(id) ?? id.toLowerCase();
  if (!isMessageId(messageId)) throw cloudFault("message_unknown", "no message has such an id");
  return messageId;
}

type Query = Record<string, string | string[]>;

const states = {
  accepted: MessageState.ACCEPTED,
  waiting: MessageState.WAITING,
  sending: MessageState.SENDING,
  sent: MessageState.SENT,
  delivered: MessageState.DELIVERED,
  read: MessageState.READ,
  failed: MessageState.FAILED,
  expired: MessageState.EXPIRED,
  cancelled: MessageState.CANCELLED,
  unknown: MessageState.UNKNOWN,
} as const;

const digits = (name: string) => z.string(`must be ${name}`).regex(/^\d{1,32}$/, `must be ${name}`);
const time = z.iso.datetime({ offset: true, error: "must be a time such as 2026-03-02T10:00:00Z" });

const querySchema = z.object({
  number: digits("a phone number id").optional(),
  to: z
    .string("must be a phone number with country code")
    .transform((to) => to.replaceAll(/[\s+()-]/g, ""))
    .pipe(digits("a phone number with country code"))
    .optional(),
  state: z.literal(Object.keys(states), `must be one of ${Object.keys(states).join(", ")}`).optional(),
  template: z.string("must be a template's name").optional(),
  campaign: z.string("must be a campaign").optional(),
  from: time.optional(),
  to_time: time.optional(),
  limit: z.coerce.number("must be a number").int().min(1).max(500, "must be at most 500").optional(),
  page: z.string("must be a token that was given out").optional(),
});

/** An empty parameter counts as absent. */
function parseQuery(query: Query) {
  const given = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ""));
  const {
    number,
    to,
    state,
    template,
    campaign,
    from,
    to_time: until,
    limit,
    page,
  } = parse(querySchema, given, "query");
  const [, wireState] = Object.entries(states).find(([word]) => word === state) ?? [];
  return {
    phoneNumberId: number ?? "",
    recipient: to ?? "",
    templateName: template ?? "",
    campaign: campaign ?? "",
    pageSize: limit ?? 0,
    pageToken: page ?? "",
    ...(wireState !== undefined && { state: wireState }),
    ...(from !== undefined && { from: timestampFromDate(new Date(from)) }),
    ...(until !== undefined && { to: timestampFromDate(new Date(until)) }),
  };
}

const cancelSchema = z.object({
  number: digits("a phone number id"),
  campaign: z.string("must be a campaign").min(1, "must be a campaign").max(128, "must have at most 128 characters"),
});

/** Throws parameter_invalid. */
function parse<Schema extends z.ZodType>(schema: Schema, value: unknown, where: string): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw cloudFault(
    "parameter_invalid",
    `${[where, ...(issue?.path ?? [])].join(".")} ${issue?.message ?? "is not valid"}`,
  );
}
