// What of a Send is accepted, and as what row. What depends on the moment of sending is not asked here.
import type { Progress } from "./progress.ts";
import type { PhoneNumber } from "./number.ts";
import { timeOfMessageId } from "./partitions.ts";

export type Lane = "reply" | "bulk";

/** A ledger row without what only the wire needs. */
export type Message = Progress & {
  messageId: string;
  phoneNumberId: string;
  recipient: string;
  lane: Lane;
  category: string;
  templateName: string;
  templateLanguage: string;
  campaign: string;
  clientCallbackData: string;
  acceptedAt: Date;
};

export type NewMessage = Message & {
  /** heliograph.messages.v1.Content. */
  content: Uint8Array;
  /** The quoted message: one of ours, or an inbound one by WhatsApp's id; empty for neither. */
  contextMessageId: string | undefined;
  contextWamid: string;
};

/** What the caller said. */
export type Sending = Pick<
  NewMessage,
  | "messageId"
  | "phoneNumberId"
  | "recipient"
  | "lane"
  | "category"
  | "templateName"
  | "templateLanguage"
  | "campaign"
  | "clientCallbackData"
  | "content"
  | "contextMessageId"
  | "contextWamid"
> & {
  /** 0: the number's default. */
  ttlSeconds: number;
};

export type Acceptance =
  | { kind: "accepted"; message: NewMessage }
  | { kind: "refused"; reason: "number_unknown" | "overloaded" | "message_id_out_of_time" };

const dayMs = 86_400_000;

/** `number` is undefined if none is declared; `queued` counts the messages that wait for it, about. */
export function decideAccept(
  { ttlSeconds, ...sending }: Sending,
  { number, queued, now }: { number: PhoneNumber | undefined; queued: number; now: Date },
): Acceptance {
  if (number === undefined) return { kind: "refused", reason: "number_unknown" };
  const drawnAt = timeOfMessageId(sending.messageId);
  if (drawnAt === undefined || Math.abs(drawnAt.getTime() - now.getTime()) > dayMs) {
    return { kind: "refused", reason: "message_id_out_of_time" };
  }
  if (queued >= number.spec.queueLimit) return { kind: "refused", reason: "overloaded" };
  const ttlMs = (ttlSeconds || number.spec.defaultTtlSeconds) * 1_000;
  return {
    kind: "accepted",
    message: {
      ...sending,
      state: "accepted",
      attempt: 0,
      term: 0,
      dueAt: now,
      acceptedAt: now,
      expiresAt: new Date(now.getTime() + ttlMs),
      wamid: undefined,
      reason: "",
      error: undefined,
      pricing: undefined,
      sendingAt: undefined,
      sentAt: undefined,
      sentNewsAt: undefined,
      deliveredAt: undefined,
      readAt: undefined,
      failedAt: undefined,
    },
  };
}
