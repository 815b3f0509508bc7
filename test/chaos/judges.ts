// The verdict over a run: what the client was promised against what the phones, the webhook and the ledger's record show. Pure.
import { fromCallbackData } from "#dialects/callback-data.ts";
import type { Audit } from "./audit.ts";
import type { LoadLog } from "./load.ts";

/** What WhatsApp took. */
export type Frame = {
  callbackData: string;
  /** The user. */
  to: string;
  text: string;
  acceptedAt: number;
  deliveredAt: number | null;
};

export type Evidence = LoadLog & {
  frames: readonly Frame[];
  /** What the customer's webhook was told. */
  statuses: readonly { id: string; status: string }[];
  inboundAtWebhook: ReadonlySet<string>;
  badSignatures: number;
  audit: Audit;
};

/** `messageId` where it is about one. */
export type Violation = { rule: string; what: string; messageId?: string };

export type Verdict = {
  violations: Violation[];
  /** Messages that went nowhere, or nobody knows where: failed as unknown_outcome at the webhook. */
  unknown: number;
  /** Frames of a term after the next one was granted, let out by a process that woke up. */
  late: number;
  /** Accepted messages without a final state at the webhook, and inbound ones that it has not: none at the end, some on the way. */
  lost: number;
  duplicates: number;
};

export function judge(evidence: Evidence): Verdict {
  const duplicates = findDuplicates(evidence);
  const lost = [...findLost(evidence), ...findLostInbound(evidence)];
  return {
    violations: [
      ...duplicates,
      ...lost,
      ...findWithoutIntent(evidence),
      ...findStaleBegins(evidence.audit),
      ...evidence.refused.map((what) => ({ rule: "refused", what })),
      ...(evidence.badSignatures > 0 ? [{ rule: "signature", what: `${evidence.badSignatures} bad ones` }] : []),
    ],
    unknown: countUnknown(evidence),
    late: countLate(evidence),
    lost: lost.length,
    duplicates: duplicates.length,
  };
}

/** By our id, and by the words: one key that was accepted as two messages shows only there. */
function findDuplicates({ frames }: Evidence): Violation[] {
  const byId = countBy(frames, ({ callbackData }) => messageIdOf(callbackData));
  const byWords = countBy(frames, ({ to, text }) => `${to} got "${text}"`);
  return [
    ...over(byId).map(([messageId, times]) => ({ rule: "duplicate", what: `taken ${times} times`, messageId })),
    ...over(byWords).map(([words, times]) => ({ rule: "duplicate", what: `${words} ${times} times` })),
  ];
}

/** A message that a phone has must be told as read, any other one as failed: the simulated users read what they get. */
function findLost({ accepted, frames, statuses }: Evidence): Violation[] {
  const told = new Map<string, Set<string>>();
  for (const { id, status } of statuses) told.set(id, (told.get(id) ?? new Set()).add(status));
  const onPhone = new Set(
    frames.filter(({ deliveredAt }) => deliveredAt !== null).map(({ callbackData }) => messageIdOf(callbackData)),
  );
  return accepted.flatMap(({ wamid, messageId, words }) => {
    const final = onPhone.has(messageId) ? "read" : "failed";
    const seen = told.get(wamid);
    if (seen?.has(final)) return [];
    const what = `${words} ended without ${final}, the webhook was told: ${[...(seen ?? [])].join(", ") || "nothing"}`;
    return [{ rule: "lost", what, messageId }];
  });
}

/** No frame on the wire without its committed Begin. */
function findWithoutIntent({ frames, audit }: Evidence): Violation[] {
  const begun = new Set(
    audit.transitions.filter(({ to }) => to === "sending").map(({ messageId, attempt }) => `${messageId}.${attempt}`),
  );
  return frames
    .filter(({ callbackData }) => !begun.has(callbackData))
    .map(({ callbackData }) => ({
      rule: "no intent",
      what: `${callbackData} went over the wire without a committed Begin`,
      messageId: messageIdOf(callbackData),
    }));
}

/** No Begin of an older term after a newer one was granted. */
function findStaleBegins({ transitions }: Audit): Violation[] {
  return transitions
    .filter(({ to, term, leaseTerm }) => to === "sending" && term !== leaseTerm)
    .map(({ messageId, attempt, term, leaseTerm, at }) => ({
      rule: "stale begin",
      what: `attempt ${attempt} was begun under term ${term} at ${at.toISOString()}, the lease had term ${leaseTerm}`,
      messageId,
    }));
}

function findLostInbound({ inbound, inboundAtWebhook }: Evidence): Violation[] {
  return inbound
    .filter((wamid) => !inboundAtWebhook.has(wamid))
    .map((wamid) => ({ rule: "lost", what: `what a user wrote, ${wamid}, is not at the webhook` }));
}

function countUnknown({ accepted, audit }: Evidence): number {
  const ids = new Set(accepted.map(({ messageId }) => messageId));
  const last = new Map(audit.transitions.map(({ messageId, to, reason }) => [messageId, `${to} ${reason}`]));
  return [...last].filter(([messageId, state]) => ids.has(messageId) && state === "failed unknown_outcome").length;
}

function countLate({ frames, audit }: Evidence): number {
  const begins = new Map(
    audit.transitions.filter(({ to }) => to === "sending").map((row) => [`${row.messageId}.${row.attempt}`, row]),
  );
  return frames.filter(({ callbackData, acceptedAt }) => {
    const begin = begins.get(callbackData);
    const next = audit.grants.find(
      ({ phoneNumberId, term }) => phoneNumberId === begin?.phoneNumberId && term === begin.term + 1,
    );
    return next !== undefined && next.at.getTime() < acceptedAt;
  }).length;
}

function messageIdOf(callbackData: string): string {
  return fromCallbackData(callbackData)?.messageId ?? callbackData;
}

function countBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(keyOf(value), (counts.get(keyOf(value)) ?? 0) + 1);
  return counts;
}

function over(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].filter(([, times]) => times > 1);
}
