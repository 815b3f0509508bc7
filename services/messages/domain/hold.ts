// What keeps a message from being sent, in the order in which it would have to be solved: the number, the message itself, those before it.
import type { ToldStanding } from "./lease.ts";
import type { MessageState } from "./progress.ts";

export type HoldFacts = {
  message: { state: MessageState; reason: string; dueAt: Date };
  /** The number as it is declared and held; undefined if it is not declared any more. */
  number: { connection: (ToldStanding & { connected: boolean }) | undefined } | undefined;
  /** Earlier messages to the same user in its lane that are not at WhatsApp yet, or just on their way. */
  aheadOfUser: number;
  /** It quotes a message of ours that has not been sent. */
  isQuoteOfUnsent: boolean;
  /** Messages of its lane that are due before it. */
  aheadInLane: number;
};

/** `until` is undefined where nobody knows, `ahead` counts messages that go first. */
export type Hold = { reason: string; until: Date | undefined; ahead: number };

/** Undefined: nothing keeps it, it is about to go; or it is not to be sent any more. */
export function decideHold(
  { message, number, aheadOfUser, isQuoteOfUnsent, aheadInLane }: HoldFacts,
  now: Date,
): Hold | undefined {
  if (message.state !== "accepted" && message.state !== "waiting") return undefined;
  if (number === undefined) return hold("number_removed");
  const { connection } = number;
  if (connection?.connected !== true) return hold("number_disconnected");
  const resting = connection.restReason || connection.standing;
  if (resting !== "") return hold(resting, connection.restsUntil);
  if (message.dueAt > now) return hold(message.reason, message.dueAt);
  if (aheadOfUser > 0) return { ...hold("behind_earlier"), ahead: aheadOfUser };
  if (isQuoteOfUnsent) return hold("quoted_not_sent");
  return aheadInLane > 0 ? { ...hold("pace"), ahead: aheadInLane } : undefined;
}

function hold(reason: string, until?: Date): Hold {
  return { reason, until, ahead: 0 };
}
