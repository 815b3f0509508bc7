// Proto to checked input, values to proto.
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { z } from "zod";
import { ServiceError } from "#lib/errors.ts";
import type { BatchGetWindowsRequest, WindowSchema } from "#proto/heliograph/billing/v1/billing_pb.ts";
import { type InboundEvent, InboundEventSchema } from "#proto/heliograph/messages/v1/events_pb.ts";
import type { InboundKind } from "./domain/inbound.ts";
import type { Window } from "./domain/window.ts";
import type { WindowKey } from "./store.ts";

export type WindowQuery = WindowKey & { ledgerLastInboundAt: Date | undefined };

/** Throws INVALID_ARGUMENT. */
export function parseQueries({ queries }: BatchGetWindowsRequest): WindowQuery[] {
  return queries.map(({ phoneNumberId, user, ledgerLastInboundAt }, index) => {
    if (phoneNumberId === "" || user === "") {
      throw new ServiceError(
        "INVALID_ARGUMENT",
        "query_incomplete",
        `query ${index} lacks a phone number id or a user`,
      );
    }
    return {
      phoneNumberId,
      userId: user,
      ledgerLastInboundAt: ledgerLastInboundAt === undefined ? undefined : timestampDate(ledgerLastInboundAt),
    };
  });
}

export function toWindow(window: Window, open: boolean): MessageInitShape<typeof WindowSchema> {
  return { open, ...(window.state === "open" && { closesAt: timestampFromDate(window.closesAt) }) };
}

export type Inbound = WindowKey & { at: Date; kind: InboundKind };

/** Undefined for an event without user or time, such as a message of someone whose phone number WhatsApp withholds. Throws on bytes that are no event. */
export function parseInbound(data: Uint8Array): Inbound | undefined {
  const event = fromBinary(InboundEventSchema, data);
  if (event.phoneNumberId === "" || event.from === "" || event.at === undefined) return undefined;
  return { phoneNumberId: event.phoneNumberId, userId: event.from, at: timestampDate(event.at), kind: kindOf(event) };
}

const messageSchema = z.object({
  group_id: z.string().optional(),
  reaction: z.object({ emoji: z.string().optional() }).optional(),
});

// As a key this stands in JSON with bare quotes; inside of a text they would be escaped.
const groupKey = Buffer.from('"group_id"');

/** Most messages are judged by their type alone: parsing costs more than all the rest of an event. */
function kindOf({ type, messageJson }: InboundEvent): InboundKind {
  const bytes = Buffer.from(messageJson.buffer, messageJson.byteOffset, messageJson.byteLength);
  if (type !== "reaction" && !bytes.includes(groupKey)) return { type, removesReaction: false, toGroup: false };
  const message = parseMessage(bytes.toString("utf8"));
  if (message === undefined) return { type, removesReaction: false, toGroup: false };
  return {
    type,
    removesReaction: type === "reaction" && (message.reaction?.emoji ?? "") === "",
    toGroup: message.group_id !== undefined,
  };
}

function parseMessage(json: string): z.infer<typeof messageSchema> | undefined {
  try {
    return messageSchema.safeParse(JSON.parse(json)).data;
  } catch {
    return undefined;
  }
}
