// The ledger's values → answers.
import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ContentSchema } from "#proto/heliograph/messages/v1/content_pb.ts";
import {
  type ClaimedMessageSchema,
  type HoldSchema,
  Lane as WireLane,
  MessageState as WireState,
  type MessageSchema,
  type NumberSchema,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { Lane } from "./domain/accept.ts";
import type { Hold } from "./domain/hold.ts";
import type { MessageState } from "./domain/progress.ts";
import type { Entry } from "./register.ts";
import type { ClaimedRow } from "./store/claim.ts";
import type { TracedMessage } from "./store/message-row.ts";

const lanes = { reply: WireLane.REPLY, bulk: WireLane.BULK } as const satisfies Record<Lane, WireLane>;

const states = {
  accepted: WireState.ACCEPTED,
  waiting: WireState.WAITING,
  sending: WireState.SENDING,
  sent: WireState.SENT,
  delivered: WireState.DELIVERED,
  read: WireState.READ,
  failed: WireState.FAILED,
  expired: WireState.EXPIRED,
  cancelled: WireState.CANCELLED,
  unknown: WireState.UNKNOWN,
} as const satisfies Record<MessageState, WireState>;

/** Empty for none in particular; undefined if there is no such state. */
export function stateOf(wire: WireState): MessageState | "" | undefined {
  return wire === WireState.UNSPECIFIED ? "" : wordsOfStates.get(wire);
}

const wordsOfStates = new Map<WireState, MessageState>([
  [WireState.ACCEPTED, "accepted"],
  [WireState.WAITING, "waiting"],
  [WireState.SENDING, "sending"],
  [WireState.SENT, "sent"],
  [WireState.DELIVERED, "delivered"],
  [WireState.READ, "read"],
  [WireState.FAILED, "failed"],
  [WireState.EXPIRED, "expired"],
  [WireState.CANCELLED, "cancelled"],
  [WireState.UNKNOWN, "unknown"],
]);

/** `hold` is what keeps it from being sent, where something does. */
export function toMessage(message: TracedMessage, hold?: Hold): MessageInitShape<typeof MessageSchema> {
  const { error, pricing, lane, state } = message;
  return {
    messageId: message.messageId,
    phoneNumberId: message.phoneNumberId,
    recipient: message.recipient,
    state: states[state],
    lane: lanes[lane],
    campaign: message.campaign,
    category: message.category,
    templateName: message.templateName,
    attempt: message.attempt,
    term: BigInt(message.term),
    wamid: message.wamid ?? "",
    reason: message.reason,
    clientCallbackData: message.clientCallbackData,
    ...(error !== undefined && { error }),
    ...(pricing !== undefined && { pricing }),
    acceptedAt: timestampFromDate(message.acceptedAt),
    dueAt: timestampFromDate(message.dueAt),
    expiresAt: timestampFromDate(message.expiresAt),
    ...(message.sendingAt && { sendingAt: timestampFromDate(message.sendingAt) }),
    ...(message.sentAt && { sentAt: timestampFromDate(message.sentAt) }),
    ...(message.deliveredAt && { deliveredAt: timestampFromDate(message.deliveredAt) }),
    ...(message.readAt && { readAt: timestampFromDate(message.readAt) }),
    ...(message.failedAt && { failedAt: timestampFromDate(message.failedAt) }),
    history: message.history.map(({ state: step, at, attempt, term, reason }) => ({
      state: states[step],
      at: timestampFromDate(at),
      attempt,
      term: BigInt(term),
      reason,
    })),
    ...(hold && { hold: toHold(hold) }),
  };
}

function toHold({ reason, until, ahead }: Hold): MessageInitShape<typeof HoldSchema> {
  return { reason, ahead, ...(until && { until: timestampFromDate(until) }) };
}

/** `contextWamid` is WhatsApp's id of the quoted message; empty where none is quoted, or it never was sent. */
export function toClaimed(row: ClaimedRow, contextWamid: string): MessageInitShape<typeof ClaimedMessageSchema> {
  return {
    messageId: row.message_id,
    attempt: row.attempt + 1,
    lane: lanes[row.lane],
    recipient: row.recipient,
    content: row.content === null ? create(ContentSchema) : fromBinary(ContentSchema, row.content),
    category: row.category,
    acceptedAt: timestampFromDate(row.accepted_at),
    expiresAt: timestampFromDate(row.expires_at),
    contextWamid,
    seq: BigInt(row.seq),
    wasWaiting: row.was_waiting,
    ...(row.last_inbound_at && { lastInboundAt: timestampFromDate(row.last_inbound_at) }),
  };
}

export function toNumber({ number, connection }: Entry): MessageInitShape<typeof NumberSchema> {
  return {
    ...number,
    connection: connection && {
      connected: connection.connected,
      lapsed: connection.lapsed,
      address: connection.connected ? connection.address : "",
      term: BigInt(connection.term),
      epoch: BigInt(connection.epoch),
      holder: connection.holder,
      since: timestampFromDate(connection.grantedAt),
      standing: connection.connected ? connection.standing : "",
      cause: connection.cause,
      restReason: connection.connected ? connection.restReason : "",
      ...(connection.connected &&
        connection.restsUntil !== undefined && { restsUntil: timestampFromDate(connection.restsUntil) }),
      ...(connection.registeredSeenAt && { registeredSeenAt: timestampFromDate(connection.registeredSeenAt) }),
    },
  };
}
