// Questions about messages that are not sent → checked values, and the answers.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Content, ContentSchema } from "#proto/heliograph/messages/v1/content_pb.ts";
import {
  type ExplainRequest,
  type ExplainResponseSchema,
  type ExplainSummarySchema,
  type ExplanationSchema,
  ExplainVerdict,
  Lane as WireLane,
  type SendRequest,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { Lane, Sending } from "./domain/accept.ts";
import type { Explanation, Verdict } from "./domain/explain.ts";
import type { Headroom, Summary } from "./domain/explain-summary.ts";
import { invalid, parseSend } from "./wire.ts";

export type AskedMessage = {
  sending: Sending;
  content: Content;
  /** Undefined: by the category. */
  lane: Lane | undefined;
  /** The same for messages that say the same. */
  wording: string;
};

export type Asked = { phoneNumberId: string; messages: readonly AskedMessage[] };

const mostMessages = 5_000;

/** Throws INVALID_ARGUMENT. */
export function parseExplain({ message, messages: several }: ExplainRequest): Asked {
  const messages = (message === undefined ? several : [message, ...several]).map(parseAsked);
  const [first] = messages;
  if (first === undefined) throw invalid("message is missing");
  if (messages.length > mostMessages) throw invalid(`messages must be at most ${mostMessages}`);
  const { phoneNumberId } = first.sending;
  if (messages.some(({ sending }) => sending.phoneNumberId !== phoneNumberId))
    throw invalid("messages must be of one number");
  return { phoneNumberId, messages };
}

function parseAsked(request: SendRequest): AskedMessage {
  const { sending } = parseSend(request);
  return {
    sending,
    content: request.content ?? create(ContentSchema),
    lane: request.lane === WireLane.UNSPECIFIED ? undefined : sending.lane,
    wording: Buffer.from(sending.content).toString("base64"),
  };
}

const verdicts = {
  allowed: ExplainVerdict.ALLOWED,
  refused: ExplainVerdict.REFUSED,
  unknown: ExplainVerdict.UNKNOWN,
} as const satisfies Record<Verdict["verdict"], ExplainVerdict>;

const lanes = { reply: WireLane.REPLY, bulk: WireLane.BULK } as const satisfies Record<Lane, WireLane>;

// Billing has no rate cards yet.
const priceUnknown = "no rate card is loaded";

export function toExplainResponse(
  explanations: readonly Explanation[],
  summary: Summary,
  headroom: Headroom | undefined,
): MessageInitShape<typeof ExplainResponseSchema> {
  const [first] = explanations;
  return {
    allowed: first?.verdict.verdict === "allowed",
    reason: reasonOf(first?.verdict),
    ...(first?.earliestAt && { earliestAt: timestampFromDate(first.earliestAt) }),
    explanations: explanations.map(toExplanation),
    summary: toSummary(summary),
    ...(headroom !== undefined && { limit: toHeadroom(headroom) }),
  };
}

function reasonOf(verdict: Verdict | undefined): string {
  return verdict === undefined || verdict.verdict === "allowed" ? "" : verdict.reason;
}

function toExplanation(explanation: Explanation): MessageInitShape<typeof ExplanationSchema> {
  const { recipient, lane, verdict, earliestAt, waitsFor, remedy, window, category } = explanation;
  return {
    recipient,
    lane: lanes[lane],
    verdict: verdicts[verdict.verdict],
    reason: reasonOf(verdict),
    details: verdict.verdict === "allowed" ? "" : verdict.details,
    remedy,
    waitsFor,
    category,
    priceUnknown,
    ...(earliestAt !== undefined && { earliestAt: timestampFromDate(earliestAt) }),
    ...(window !== undefined && {
      window: {
        open: window.isOpen,
        ...(window.closesAt !== undefined && { closesAt: timestampFromDate(window.closesAt) }),
      },
    }),
  };
}

function toHeadroom({ limit, used, usedAfter }: Headroom) {
  return {
    used: BigInt(used),
    usedAfter: BigInt(usedAfter),
    ...(limit !== undefined && { messagingLimit: BigInt(limit) }),
  };
}

function toSummary({ lastAllowedAt, lastAt, ...counts }: Summary): MessageInitShape<typeof ExplainSummarySchema> {
  return {
    ...counts,
    ...(lastAllowedAt !== undefined && { lastAllowedAt: timestampFromDate(lastAllowedAt) }),
    ...(lastAt !== undefined && { lastAt: timestampFromDate(lastAt) }),
  };
}
