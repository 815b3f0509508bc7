// What would become of messages that were sent now: the verdict of the real rules in their real order, and when each would go.
// Times are estimates: the pace is a rate, and what others send meanwhile is not known.
import { decideAdmission, type Facts, type Subject } from "#admission/domain/admission.ts";
import type { Lane } from "./accept.ts";
import { remedyOf } from "./remedy.ts";

/** What the templates service says of a template message and its parameters. */
export type TemplateCheck =
  | { kind: "fits" }
  | { kind: "refused"; reason: string; details: string }
  | { kind: "unknown" };

/** A message with everything that is known of it. */
export type Known = {
  recipient: string;
  lane: Lane;
  subject: Subject;
  /** Undefined for what is no template message. */
  check: TemplateCheck | undefined;
  /** The number's queue is full. */
  isOverloaded: boolean;
  facts: Facts;
  /** When quality says that a place may become free. */
  limitFreeAt: Date | undefined;
  /** How long the pair of number and user waits. */
  pairWaitMs: number;
  /** An earlier message to this user in this lane waits until then. */
  heldUntil: Date | undefined;
};

/** How fast the number sends, as its connection tells. */
export type Pace =
  | { state: "known"; messagesPerSecond: number; restingReason: string; restingMs: number }
  | { state: "disconnected" }
  | { state: "away" };

export type Verdict =
  | { verdict: "allowed" }
  | { verdict: "refused"; reason: string; details: string }
  | { verdict: "unknown"; reason: string; details: string };

export type Explanation = {
  recipient: string;
  lane: Lane;
  verdict: Verdict;
  earliestAt: Date | undefined;
  waitsFor: string;
  remedy: string;
  window: { isOpen: boolean; closesAt: Date | undefined } | undefined;
  category: string;
};

export type Situation = {
  messages: readonly Known[];
  pace: Pace;
  /** Messages of each lane that are due and go before. */
  ahead: Readonly<Record<Lane, number>>;
};

const peers = { template: "templates", window: "billing", limit: "quality" } as const satisfies Record<
  keyof Facts,
  string
>;

/** In the order given, in which they would be sent. */
export function explain({ messages, pace, ahead }: Situation, now: Date): Explanation[] {
  const before = { ...ahead };
  return messages.map((message) => {
    const verdict = judge(message, now);
    const { at, waitsFor } = timeOf(message, verdict, { pace, before, now });
    if (verdict.verdict === "allowed") before[message.lane] += 1;
    const { recipient, lane } = message;
    return {
      recipient,
      lane,
      verdict,
      earliestAt: at,
      waitsFor,
      remedy: remedyOf(verdict.verdict === "allowed" ? waitsFor : verdict.reason, verdict.verdict),
      window: windowOf(message, now),
      category: categoryOf(message),
    };
  });
}

/** First what is refused before it is accepted, then what admission says when it is about to go. */
export function judge({ check, isOverloaded, subject, facts }: Known, now: Date): Verdict {
  if (check?.kind === "refused") return { verdict: "refused", reason: check.reason, details: check.details };
  if (check?.kind === "unknown") return unknown("templates");
  if (isOverloaded) {
    return { verdict: "refused", reason: "overloaded", details: "the number has its queue limit of messages waiting" };
  }
  const verdict = decideAdmission(subject, facts, now);
  switch (verdict.verdict) {
    case "allow":
      return { verdict: "allowed" };
    case "expire":
      return { verdict: "refused", reason: "expired", details: "its time to live is over" };
    case "refuse":
      return { verdict: "refused", reason: verdict.reason, details: verdict.details };
    case "incomplete":
      return unknown(peers[verdict.missing]);
  }
}

function unknown(peer: string): Verdict {
  return { verdict: "unknown", reason: peer, details: `${peer} does not answer` };
}

type Timing = { pace: Pace; before: Readonly<Record<Lane, number>>; now: Date };
type Time = { at: Date | undefined; waitsFor: string };

function timeOf(message: Known, { verdict }: Verdict, { pace, before, now }: Timing): Time {
  if (verdict === "refused") return { at: message.limitFreeAt, waitsFor: "" };
  if (verdict === "unknown") return { at: undefined, waitsFor: "" };
  if (pace.state === "disconnected") return { at: undefined, waitsFor: "number_disconnected" };
  if (pace.state === "away") return { at: undefined, waitsFor: "connection_away" };
  const { messagesPerSecond, restingReason, restingMs } = pace;
  // Replies go before all that waits in bulk, and bulk in what they leave.
  const position = message.lane === "reply" ? before.reply : before.reply + before.bulk;
  const pacedMs = restingMs + Math.floor((position * 1_000) / messagesPerSecond);
  const heldMs = Math.max(0, (message.heldUntil?.getTime() ?? 0) - now.getTime());
  const waitMs = Math.max(pacedMs, message.pairWaitMs, heldMs);
  return { at: new Date(now.getTime() + waitMs), waitsFor: reasonOf() };

  function reasonOf(): string {
    if (waitMs > 0 && waitMs === heldMs) return "behind_earlier";
    if (waitMs > 0 && waitMs === message.pairWaitMs) return "pair";
    if (restingReason !== "") return restingReason;
    return waitMs > 0 ? "pace" : "";
  }
}

function windowOf({ facts: { window } }: Known, now: Date): Explanation["window"] {
  if (window === undefined) return undefined;
  const { closesAt } = window;
  return { isOpen: closesAt !== undefined && now < closesAt, closesAt };
}

/** Meta's word for what the price goes by. */
function categoryOf({ subject, facts: { template } }: Known): string {
  if (subject.kind === "text") return "SERVICE";
  return template?.state === "known" ? template.category : "";
}
