// A campaign's explanation in numbers: what may go, what is refused by which rule, and when the last would go.
import type { Explanation, Pace } from "./explain.ts";

/** The messaging limit around the request; `limit` is undefined where there is none, or WhatsApp has not told it yet. */
export type Headroom = { limit: number | undefined; used: number; usedAfter: number };

export type Summary = {
  total: number;
  allowed: number;
  refused: ReasonCount[];
  unknown: ReasonCount[];
  /** Of the allowed: those that would go within 24 hours. */
  withinDay: number;
  lastAllowedAt: Date | undefined;
  /** The latest moment at which the last would go, those over the limit included. */
  lastAt: Date | undefined;
};

export type ReasonCount = { reason: string; count: number };

const dayMs = 86_400_000;

export function summarize(
  explanations: readonly Explanation[],
  { pace, headroom }: { pace: Pace; headroom: Headroom | undefined },
  now: Date,
): Summary {
  const allowed = explanations.filter(({ verdict }) => verdict.verdict === "allowed");
  const times = allowed.flatMap(({ earliestAt }) => earliestAt?.getTime() ?? []);
  const dayEnds = now.getTime() + dayMs;
  const lastAllowedAt = times.length < allowed.length || times.length === 0 ? undefined : new Date(latest(times));
  const refused = countBy(explanations, "refused");
  const over = refused.find(({ reason }) => reason === "limit_reached")?.count ?? 0;
  return {
    total: explanations.length,
    allowed: allowed.length,
    refused,
    unknown: countBy(explanations, "unknown"),
    withinDay: times.filter((at) => at < dayEnds).length,
    lastAllowedAt,
    lastAt: over === 0 ? lastAllowedAt : lastOver(over, { after: lastAllowedAt ?? now, pace, headroom }),
  };
}

/** Every place that is taken becomes free within 24 hours, so as many as the limit allows can go each day. */
function lastOver(
  over: number,
  { after, pace, headroom }: { after: Date; pace: Pace; headroom: Headroom | undefined },
): Date | undefined {
  const limit = headroom?.limit ?? 0;
  if (limit === 0 || pace.state !== "known") return undefined;
  const days = Math.ceil(over / limit);
  const lastDay = over - (days - 1) * limit;
  return new Date(after.getTime() + days * dayMs + Math.floor(((lastDay - 1) * 1_000) / pace.messagesPerSecond));
}

function latest(times: readonly number[]): number {
  return times.reduce((most, at) => Math.max(most, at), 0);
}

/** Most first. */
function countBy(explanations: readonly Explanation[], word: "refused" | "unknown"): ReasonCount[] {
  const counts = new Map<string, number>();
  for (const { verdict } of explanations) {
    if (verdict.verdict === "allowed" || verdict.verdict !== word) continue;
    counts.set(verdict.reason, (counts.get(verdict.reason) ?? 0) + 1);
  }
  return [...counts].map(([reason, count]) => ({ reason, count })).sort((a, b) => b.count - a.count);
}
