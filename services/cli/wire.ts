// The words of the command line ↔ proto.
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { fromWamid, isMessageId } from "#dialects/message-id.ts";
import { Lane, MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";

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

const stateWords = new Map<MessageState, string>(Object.entries(states).map(([word, state]) => [state, word]));

/** The words for --state. */
export const stateNames = Object.keys(states).join(", ");

/** Undefined if there is no such state. */
export function parseState(word: string): MessageState | undefined {
  return Object.entries(states).find(([name]) => name === word)?.[1];
}

/** A state that this command is too old to know is shown by its number. */
export function stateWord(state: MessageState): string {
  return stateWords.get(state) ?? `state ${state}`;
}

export function laneWord(lane: Lane): string {
  return lane === Lane.BULK ? "bulk" : "reply";
}

/** The ledger's id behind either form: the UUID, or the wamid that clients of the Cloud API see. */
export function parseMessageId(text: string): string | undefined {
  const messageId = fromWamid(text) ?? text.toLowerCase();
  return isMessageId(messageId) ? messageId : undefined;
}

/** UTC, in ISO 8601; empty where there is no such time. */
export function timeText(at: Timestamp | undefined): string {
  return at === undefined ? "" : timestampDate(at).toISOString();
}
