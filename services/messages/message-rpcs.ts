// The RPCs that look at messages, take them back or tell of them again, in the order of the contract.
import { ServiceError } from "#lib/errors.ts";
import type { Handlers } from "#lib/grpc.ts";
import type { Pool, Queryable } from "#lib/postgres.ts";
import type {
  CancelMessagesRequest,
  ListMessagesRequest,
  MessagesService,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { Days } from "./days.ts";
import { rangeOfDay } from "./domain/listing.ts";
import { firstMessageId } from "./domain/partitions.ts";
import type { Ledger } from "./ledger.ts";
import { numberUnknown } from "./ledger-rpcs.ts";
import { loadHolds } from "./holds.ts";
import type { Register } from "./register.ts";
import { republish } from "./republish.ts";
import { findMessages, findQueuedOfCampaign } from "./store/listing.ts";
import { loadMessage } from "./store/lookup.ts";
import type { TracedMessage } from "./store/message-row.ts";
import { loadDays } from "./store/partitions.ts";
import { parseMessageId } from "./wire.ts";
import { parseCancel, parseList, parseSpan } from "./wire-list.ts";
import { toMessage } from "./wire-out.ts";

export type MessageDependencies = {
  db: Pool;
  ledger: Pick<Ledger, "cancel">;
  register: Pick<Register, "find" | "get" | "placeOf">;
  days: Pick<Days, "floor">;
  now: () => Date;
  /** Events wait to be published. */
  onEvents: () => void;
};

export function messageHandlers(dependencies: MessageDependencies) {
  const { db } = dependencies;
  return {
    async getMessage(request) {
      const messageId = parseMessageId(request.messageId);
      const message = await loadMessage(db, messageId);
      if (message === undefined) throw messageUnknown(messageId);
      const holds = await loadHolds(dependencies, [message]);
      return { message: toMessage(message, holds.get(messageId)) };
    },

    async listMessages(request) {
      const { messages, nextPageToken } = await list(db, request);
      const holds = await loadHolds(dependencies, messages);
      return { messages: messages.map((message) => toMessage(message, holds.get(message.messageId))), nextPageToken };
    },

    async cancelMessages(request, { signal }) {
      return { cancelled: BigInt(await cancel(dependencies, request, signal)) };
    },

    async republish(request, { signal }) {
      const span = parseSpan(request, dependencies.now());
      return { events: BigInt(await republish(dependencies, span, signal)) };
    },
  } satisfies Handlers<typeof MessagesService>;
}

function messageUnknown(messageId: string): ServiceError {
  return new ServiceError("NOT_FOUND", "message_unknown", `message ${messageId} is not known`);
}

// A page whose traits are rare ends early, with a token, rather than keep its caller waiting.
const lookForMs = 1_000;

type Page = { messages: readonly TracedMessage[]; nextPageToken: string };

async function list(db: Queryable, request: ListMessagesRequest): Promise<Page> {
  const { filter, pageSize, pageToken } = parseList(request);
  const lookUntil = performance.now() + lookForMs;
  const messages: TracedMessage[] = [];
  for (const day of (await loadDays(db)).reverse()) {
    const range = rangeOfDay(day, filter, pageToken);
    if (range === undefined) continue;
    if (performance.now() > lookUntil) return { messages, nextPageToken: firstMessageId(day.to) };
    messages.push(...(await findMessages(db, filter, { ...range, most: pageSize + 1 - messages.length })));
    const last = messages[pageSize - 1];
    if (messages.length > pageSize && last !== undefined)
      return { messages: messages.slice(0, pageSize), nextPageToken: last.messageId };
  }
  return { messages, nextPageToken: "" };
}

/** One message may turn out to be on its way already; then none is cancelled. */
async function cancel(
  { db, ledger, register, now }: MessageDependencies,
  request: CancelMessagesRequest,
  signal: AbortSignal,
): Promise<number> {
  const asked = parseCancel(request);
  const { phoneNumberId } = asked;
  if (asked.kind === "message") {
    const { messageId } = asked;
    const message = await loadMessage(db, messageId);
    const isMeant = phoneNumberId === undefined || message?.phoneNumberId === phoneNumberId;
    if (message === undefined || !isMeant) throw messageUnknown(messageId);
    return (await ledger.cancel({ kind: "cancel", messageIds: [messageId] })).length;
  }
  if ((await register.find(asked.phoneNumberId)) === undefined) throw numberUnknown(asked.phoneNumberId);
  return cancelCampaign({ db, ledger }, { ...asked, acceptedBy: now() }, signal);
}

/** Rows in a commit, between which other messages go on. */
const commitRows = 256;
/** Ids in hand. Finding them reads all that waits for the number. */
const handfulRows = 10_000;

/** A caller that gives up ends it between two commits; repeating goes on from there. */
async function cancelCampaign(
  { db, ledger }: Pick<MessageDependencies, "db" | "ledger">,
  asked: { phoneNumberId: string; campaign: string; acceptedBy: Date },
  signal: AbortSignal,
): Promise<number> {
  let cancelled = 0;
  for (let found = handfulRows; found === handfulRows && !signal.aborted;) {
    const messageIds = await findQueuedOfCampaign(db, { ...asked, most: handfulRows });
    found = messageIds.length;
    for (let start = 0; start < found && !signal.aborted; start += commitRows) {
      const some = messageIds.slice(start, start + commitRows);
      cancelled += (await ledger.cancel({ kind: "cancel", messageIds: some })).length;
    }
  }
  return cancelled;
}
