// Proto to the values of the rules, and outcomes to proto.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Facts, RefusalReason, Subject } from "#admission/domain/admission.ts";
import { messageError } from "#dialects/cloud-errors.ts";
import type { MessageErrorSchema } from "#proto/heliograph/messages/v1/content_pb.ts";
import {
  type ClaimedMessage,
  Lane as ProtoLane,
  type Number,
  type Outcome,
  OutcomeSchema,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { Lane, Queued } from "./domain/lanes.ts";
import type { GraphError } from "./domain/outcome.ts";

/** A message in memory that waits for its turn. */
export type Held = Queued & {
  readonly message: ClaimedMessage;
  readonly subject: Subject;
  readonly acceptedAtMs: number;
  /** Undefined until they were gathered, and again when they have to be gathered anew. */
  facts: Facts | undefined;
  /** When they were gathered; monotonic ms. */
  judgedAtMs: number;
  /** Not to go earlier; monotonic ms. */
  notBeforeMs: number;
};

const lanes: Readonly<Record<ProtoLane, Lane>> = {
  [ProtoLane.UNSPECIFIED]: "reply",
  [ProtoLane.REPLY]: "reply",
  [ProtoLane.BULK]: "bulk",
};

export function toHeld(message: ClaimedMessage): Held {
  return {
    message,
    messageId: message.messageId,
    recipient: message.recipient,
    lane: lanes[message.lane] ?? "reply",
    seq: Number(message.seq),
    acceptedAtMs: message.acceptedAt === undefined ? 0 : timestampDate(message.acceptedAt).getTime(),
    subject: {
      kind: message.content?.kind.case ?? "unsupported",
      expiresAt: message.expiresAt === undefined ? undefined : timestampDate(message.expiresAt),
    },
    facts: undefined,
    judgedAtMs: 0,
    notBeforeMs: 0,
  };
}

/** What the ledger says, at the grant, of the time before. */
export function toKnownBefore(number: Number | undefined): { wasRegistered: boolean; isConflict: boolean } {
  const { registeredSeenAt, standing } = number?.connection ?? {};
  return { wasRegistered: registeredSeenAt !== undefined, isConflict: standing === "conflict" };
}

type Of = { message: ClaimedMessage; at: Date };

function toOutcome({ message, at }: Of, kind: MessageInitShape<typeof OutcomeSchema>["kind"]): Outcome {
  const { messageId, attempt } = message;
  return create(OutcomeSchema, { messageId, attempt, at: timestampFromDate(at), ...(kind !== undefined && { kind }) });
}

export function toTaken(of: Of, wamid: string): Outcome {
  return toOutcome(of, { case: "taken", value: { wamid } });
}

/** Refused by our own rules. */
export function toNotAdmitted(of: Of, reason: RefusalReason, details: string): Outcome {
  return toOutcome(of, { case: "refused", value: { reason, error: messageError(reason, details) } });
}

/** It cannot be sent because of a bug of ours. */
export function toBroken(of: Of): Outcome {
  return toOutcome(of, { case: "refused", value: { reason: "internal", error: messageError("internal", "") } });
}

/** Refused by WhatsApp: its code and words are passed on. */
export function toRefused(of: Of, error: GraphError): Outcome {
  return toOutcome(of, { case: "refused", value: { reason: "upstream_refused", error: toMessageError(error) } });
}

function toMessageError({ code, title, message, details }: GraphError): MessageInitShape<typeof MessageErrorSchema> {
  return { code, title, message, details, href: messageError("upstream_refused", "").href ?? "" };
}

export function toWait(of: Of, reason: string, until: Date): Outcome {
  return toOutcome(of, { case: "wait", value: { reason, until: timestampFromDate(until) } });
}

export function toUnknown(of: Of, reason: string): Outcome {
  return toOutcome(of, { case: "unknown", value: { reason } });
}

export function toExpired(of: Of): Outcome {
  return toOutcome(of, { case: "expired", value: {} });
}
