// How far a message has come, what moves it and what is told of it: the values of message.ts, where the rules are.

export type MessageState =
  | "accepted"
  | "waiting"
  | "sending"
  | "sent"
  | "delivered"
  | "read"
  | "failed"
  | "expired"
  | "cancelled"
  | "unknown";

/** Meta's error of a message. */
export type MessageError = { code: number; title: string; message: string; details: string; href: string };
export type Pricing = { billable: boolean; pricingModel: string; type: string; category: string };
export type Conversation = { id: string; originType: string; expirationSeconds: bigint };

/** What of a ledger row changes. */
export type Progress = {
  state: MessageState;
  /** The one that went, or is going, over the wire; 0 before the first. */
  attempt: number;
  /** The lease term of that attempt; 0 before the first. */
  term: number;
  /** When its next step is due: to be sent, to be taken for unknown, to be given up or sent again. */
  dueAt: Date;
  expiresAt: Date;
  wamid: string | undefined;
  reason: string;
  error: MessageError | undefined;
  pricing: Pricing | undefined;
  sendingAt: Date | undefined;
  sentAt: Date | undefined;
  /** When the customer was told of `sent`. */
  sentNewsAt: Date | undefined;
  deliveredAt: Date | undefined;
  readAt: Date | undefined;
  /** Failed, expired or cancelled. */
  failedAt: Date | undefined;
};

/** One step in the life of a message. */
export type Transition = {
  state: MessageState;
  /** When the ledger learned of it. */
  at: Date;
  attempt: number;
  /** The lease term under which it happened; 0 where none did. */
  term: number;
  reason: string;
};

export type Verb = "sent" | "delivered" | "read" | "failed" | "expired" | "cancelled" | "unknown";

export type News = {
  verb: Verb;
  attempt: number;
  at: Date;
  reason: string;
  errors: readonly MessageError[];
  pricing: Pricing | undefined;
  conversation: Conversation | undefined;
};

export type Outcome =
  | { kind: "taken"; wamid: string }
  | { kind: "refused"; reason: string; error: MessageError | undefined }
  | { kind: "wait"; until: Date; reason: string }
  | { kind: "unknown"; reason: string }
  | { kind: "expired" };

export type Status = {
  kind: "status";
  status: "sent" | "delivered" | "read" | "played" | "failed";
  /** From our callback data; undefined when WhatsApp's id alone told which message it is. */
  attempt: number | undefined;
  wamid: string;
  at: Date;
  pricing: Pricing | undefined;
  conversation: Conversation | undefined;
  errors: readonly MessageError[];
};

export type Event =
  | { kind: "begin"; term: number; attempt: number }
  /** `isHolder`: the term is the lease's. What happened before Begin is the holder's to say, what happened after it a fact. */
  | { kind: "finish"; term: number; attempt: number; isHolder: boolean; at: Date; outcome: Outcome }
  | Status
  | { kind: "takeover"; term: number }
  /** Postgres lost commits: it may have been sent, and sent again, without the ledger knowing. */
  | { kind: "recover" }
  /** The business does not want it sent any more. */
  | { kind: "cancel" }
  /** Time has passed. */
  | { kind: "due" };

export type Policy = {
  unknownPolicy: "fail" | "resend";
  unknownTimeoutMs: number;
  /** How long a message may be sending without a Finish. */
  finishTimeoutMs: number;
};
