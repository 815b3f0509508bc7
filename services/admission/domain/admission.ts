// May this message go now? A chain of checks: lasting faults before passing ones, the limit last. Reading `chain` is reading the rule.
// Facts that are not known yet are absent; a check that needs one says so, and the message waits for it.

/** The message, as far as the rules look at it. */
export type Subject = { kind: "text" | "template" | "unsupported"; expiresAt: Date | undefined };

/** Status and category in Meta's words: APPROVED, PAUSED, …; MARKETING, … */
export type TemplateFact = { state: "missing" } | { state: "known"; status: string; category: string };

/** The customer service window, open until that instant (exclusive); undefined: never was open. */
export type WindowFact = { closesAt: Date | undefined };

/** What quality says of a business-initiated message. */
export type LimitFact = { state: "held" } | { state: "refused"; reason: "limit_reached" | "number_restricted" };

export type Facts = { template?: TemplateFact; window?: WindowFact; limit?: LimitFact };

export type RefusalReason =
  | "type_unsupported"
  | "template_missing"
  | "template_paused"
  | "template_disabled"
  | "window_closed"
  | "number_restricted"
  | "limit_reached";

export type Verdict =
  | { verdict: "allow" }
  | { verdict: "expire" }
  /** `details` is for people and holds nothing of the message. */
  | { verdict: "refuse"; reason: RefusalReason; details: string }
  | { verdict: "incomplete"; missing: keyof Facts };

type Input = { subject: Subject; facts: Facts; now: Date };
type Check = (input: Input) => Verdict | undefined;

const chain: readonly Check[] = [expired, kindSupported, templateSendable, windowOpen, limitHeld];

/** The first check that decides; all passed: allow. */
export function decideAdmission(subject: Subject, facts: Facts, now: Date): Verdict {
  for (const check of chain) {
    const verdict = check({ subject, facts, now });
    if (verdict !== undefined) return verdict;
  }
  return { verdict: "allow" };
}

/** Whether quality has to be asked: a template outside an open window starts a conversation. False while the facts do not tell. */
export function isBusinessInitiated(subject: Subject, { template, window }: Facts, now: Date): boolean {
  if (subject.kind !== "template" || template === undefined || window === undefined) return false;
  return templateSendable({ subject, facts: { template }, now }) === undefined && !isOpen(window, now);
}

function isOpen({ closesAt }: WindowFact, now: Date): boolean {
  return closesAt !== undefined && now < closesAt;
}

function refuse(reason: RefusalReason, details: string): Verdict {
  return { verdict: "refuse", reason, details };
}

function expired({ subject, now }: Input): Verdict | undefined {
  const { expiresAt } = subject;
  return expiresAt !== undefined && expiresAt <= now ? { verdict: "expire" } : undefined;
}

function kindSupported({ subject }: Input): Verdict | undefined {
  if (subject.kind !== "unsupported") return undefined;
  return refuse("type_unsupported", "the process that sends for this number does not know this kind of message");
}

function templateSendable({ subject, facts: { template } }: Input): Verdict | undefined {
  if (subject.kind !== "template") return undefined;
  if (template === undefined) return { verdict: "incomplete", missing: "template" };
  if (template.state === "missing") return refuse("template_missing", "no template of this name and language");
  switch (template.status) {
    case "APPROVED":
    // The older scheme's warning week: still sent.
    case "FLAGGED":
      return undefined;
    case "PAUSED":
      return refuse("template_paused", "template is PAUSED for low quality");
    case "DISABLED":
      return refuse("template_disabled", "template is DISABLED for low quality");
    default:
      return refuse("template_missing", `template is ${template.status}, not APPROVED`);
  }
}

function windowOpen({ subject, facts: { window }, now }: Input): Verdict | undefined {
  if (window === undefined) return { verdict: "incomplete", missing: "window" };
  if (subject.kind === "template" || isOpen(window, now)) return undefined;
  const { closesAt } = window;
  return refuse(
    "window_closed",
    closesAt === undefined
      ? "the user has not written to this number"
      : `the window closed at ${closesAt.toISOString()}`,
  );
}

function limitHeld({ subject, facts: { window, limit }, now }: Input): Verdict | undefined {
  if (subject.kind !== "template" || (window !== undefined && isOpen(window, now))) return undefined;
  if (limit === undefined) return { verdict: "incomplete", missing: "limit" };
  if (limit.state === "held") return undefined;
  switch (limit.reason) {
    case "number_restricted":
      return refuse(limit.reason, "the number may answer users but not start conversations");
    case "limit_reached":
      return refuse(limit.reason, "the number has started conversations with as many users as its limit allows");
  }
}
