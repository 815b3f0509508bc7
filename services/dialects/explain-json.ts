// Explanations as our own REST shows them: in the words of the documentation, with Meta's error beside a refusal.
import type { JsonObject } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type ExplainResponse,
  ExplainVerdict,
  type Explanation,
  Lane,
  type LimitHeadroom,
  type ReasonCount,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import { type CloudReason, isCloudReason, messageError } from "./cloud-errors.ts";

/** A message that is refused for what its body says, before anything is asked. */
export type BodyRefusal = { to: string; reason: CloudReason; details: string };

/** One message's verdict. */
export function toExplanationJson({ explanations, limit }: ExplainResponse, now: Date): JsonObject {
  const [first] = explanations;
  if (first === undefined) throw new TypeError("a message has an explanation");
  return { ...toVerdictJson(first, now), ...(limit !== undefined && { limit: toLimitJson(limit) }) };
}

/**
 * A campaign's: the summary, and each message's verdict in the order asked. `places` says for each message of the request whether it
 * was refused for its body already; the others are explained in this order. `response` is undefined when none was left to explain.
 */
export function toCampaignJson(
  places: readonly (BodyRefusal | undefined)[],
  response: ExplainResponse | undefined,
  now: Date,
): JsonObject {
  const explained = (response?.explanations ?? []).values();
  const messages = places.map((refusal) => {
    if (refusal !== undefined) return toRefusalJson(refusal);
    const { value } = explained.next();
    if (value === undefined) throw new TypeError("a message has an explanation");
    return toVerdictJson(value, now);
  });
  return {
    summary: toSummaryJson(places, response),
    ...(response?.limit !== undefined && { limit: toLimitJson(response.limit) }),
    messages,
  };
}

const verdicts: Readonly<Record<ExplainVerdict, string>> = {
  [ExplainVerdict.UNSPECIFIED]: "unknown",
  [ExplainVerdict.ALLOWED]: "allowed",
  [ExplainVerdict.REFUSED]: "refused",
  [ExplainVerdict.UNKNOWN]: "unknown",
};

function toVerdictJson(explanation: Explanation, now: Date): JsonObject {
  const { recipient, verdict, reason, details, remedy, earliestAt, waitsFor, window, category } = explanation;
  return {
    to: recipient,
    verdict: verdicts[verdict] ?? "unknown",
    ...filled({ reason, details, remedy }),
    ...(verdict === ExplainVerdict.REFUSED && errorOf(reason)),
    earliestAt: toTime(earliestAt),
    ...filled({ waitsFor }),
    ...(window !== undefined && { window: toWindowJson(window.open, window.closesAt, now) }),
    ...filled({ category }),
    price: null,
    ...filled({ priceUnknown: explanation.priceUnknown }),
    lane: explanation.lane === Lane.BULK ? "bulk" : "reply",
  };
}

function toRefusalJson({ to, reason, details }: BodyRefusal): JsonObject {
  return { to, verdict: "refused", reason, details, remedy: "correct the message's body", ...errorOf(reason) };
}

/** Those that say something. */
function filled(texts: Readonly<Record<string, string>>): JsonObject {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ""));
}

/** As the error body, or the failed status, of a real message would have it. */
function errorOf(reason: string): JsonObject {
  if (!isCloudReason(reason)) return {};
  const { code = 0, title = "" } = messageError(reason, "");
  return { error: { code, title } };
}

function toTime(at: Timestamp | undefined): string | null {
  return at === undefined ? null : timestampDate(at).toISOString();
}

function toWindowJson(open: boolean, closesAt: Timestamp | undefined, now: Date): JsonObject {
  const leftMs = open && closesAt !== undefined ? timestampDate(closesAt).getTime() - now.getTime() : 0;
  return { open, closesAt: toTime(closesAt), leftSeconds: Math.max(0, Math.floor(leftMs / 1_000)) };
}

/** A limit of null: unlimited, or not told by WhatsApp yet. */
function toLimitJson({ messagingLimit, used, usedAfter }: LimitHeadroom): JsonObject {
  const after = Number(usedAfter);
  const limit = messagingLimit === undefined ? null : Number(messagingLimit);
  return { limit, used: Number(used), usedAfter: after, leftAfter: limit === null ? null : Math.max(0, limit - after) };
}

function toSummaryJson(
  places: readonly (BodyRefusal | undefined)[],
  response: ExplainResponse | undefined,
): JsonObject {
  const { allowed = 0, refused = [], unknown = [], withinDay = 0, lastAllowedAt, lastAt } = response?.summary ?? {};
  const refusals = toCounts(refused);
  for (const refusal of places) {
    if (refusal !== undefined) refusals.set(refusal.reason, (refusals.get(refusal.reason) ?? 0) + 1);
  }
  return {
    total: places.length,
    allowed,
    withinDay,
    refused: Object.fromEntries(refusals),
    unknown: Object.fromEntries(toCounts(unknown)),
    lastAllowedAt: toTime(lastAllowedAt),
    lastAt: toTime(lastAt),
  };
}

function toCounts(counts: readonly ReasonCount[]): Map<string, number> {
  return new Map(counts.map(({ reason, count }) => [reason, count]));
}
