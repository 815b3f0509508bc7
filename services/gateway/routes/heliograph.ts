// Our own REST: what the ledger knows of a message.
import { toJson } from "@bufbuild/protobuf";
import type { FastifyInstance } from "fastify";
import { fromWamid, isMessageId } from "#dialects/message-id.ts";
import type { Client } from "#lib/grpc.ts";
import { MessageSchema, type MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { authenticate } from "../authenticate.ts";
import { cloudFault } from "../errors.ts";
import { tryDeadlineMs, withRetries } from "../retries.ts";
import type { Tokens } from "../tokens.ts";

export type HeliographDependencies = {
  messages: Pick<Client<typeof MessagesService>, "getMessage">;
  tokens: Tokens;
};

/** The id may be the UUID or the wamid that the client was given. */
export function addHeliographRoutes(app: FastifyInstance, { messages, tokens }: HeliographDependencies): void {
  const path = "/heliograph/v1/messages/:id";
  app.get<{ Params: { id: string } }>(path, { onRequest: authenticate(tokens) }, async ({ params }) => {
    const messageId = fromWamid(params.id) ?? params.id.toLowerCase();
    if (!isMessageId(messageId)) throw cloudFault("message_unknown", "no message has such an id");
    const { message } = await withRetries(() => messages.getMessage({ messageId }, { deadlineMs: tryDeadlineMs }));
    if (message === undefined) throw cloudFault("message_unknown", `message ${messageId} does not exist`);
    return toJson(MessageSchema, message);
  });
}
