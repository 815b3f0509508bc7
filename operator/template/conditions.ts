// What the conditions of a template say.
import type { WhatsAppTemplate } from "../api/v1alpha1/whatsapp-template.ts";
import type { Said as SaidOf } from "../conditions.ts";
import { toWord } from "../number/words.ts";
import type { ObservedTemplate, TemplateFacts } from "./facts.ts";
import { type Reason, stalling } from "./reasons.ts";
import type { Submission } from "./submission.ts";

export type Conditions = NonNullable<NonNullable<WhatsAppTemplate["status"]>["conditions"]>;

export type Said = SaidOf<Reason>;

export function said(status: Said["status"], reason: Reason, message = ""): Said {
  return { status, reason, message };
}

/** What is in the way of saying anything of the template itself. */
export function findObstacle({ template, account, accountTwin, twin, observed }: TemplateFacts): Said | undefined {
  if (account === undefined) {
    const message = `there is no WhatsAppBusinessAccount ${template.spec.accountRef.name} in the namespace; apply it`;
    return said("False", "AccountMissing", message);
  }
  if (accountTwin !== undefined) {
    const message = `WhatsAppBusinessAccount ${accountTwin} is older and has the same wabaId; delete one of the two`;
    return said("False", "AccountInUse", message);
  }
  if (twin !== undefined) {
    const message = `WhatsAppTemplate ${twin} is older and declares the same template; delete one of the two`;
    return said("False", "TemplateInUse", message);
  }
  if (observed.kind === "away")
    return said("Unknown", "TemplatesAway", `${observed.service} does not answer: ${observed.why}`);
  return undefined;
}

/** The refusal of what would be said to WhatsApp now. */
function refusalOf({ refusals, hash, now }: TemplateFacts, submission: Submission): Said | undefined {
  const { submission: refused } = refusals;
  if (submission.kind !== "create" && submission.kind !== "edit") return undefined;
  if (refused === undefined || refused.hash !== hash || refused.retryAt <= now) return undefined;
  return said("False", refused.reason, refused.message);
}

/** Whether it can be sent. */
export function sayReady(facts: TemplateFacts, submission: Submission | undefined): Said {
  const obstacle = findObstacle(facts);
  if (obstacle !== undefined || facts.observed.kind === "away" || submission === undefined)
    return obstacle ?? said("Unknown", "NotSendable");
  const { value } = facts.observed;
  return value === undefined ? sayAbsent(facts, submission) : saySendable(value);
}

function sayAbsent(facts: TemplateFacts, submission: Submission): Said {
  if (submission.kind === "none")
    return said("False", "Missing", "WhatsApp has no such template, and managementPolicy Observe submits none");
  const refusal = refusalOf(facts, submission);
  return refusal ?? said("False", "Submitting", "the template is being submitted to WhatsApp");
}

function saySendable({ status, rejectedReason }: ObservedTemplate): Said {
  switch (status) {
    case "APPROVED":
      return said("True", "Approved", "WhatsApp has approved the template");
    case "FLAGGED":
      return said(
        "True",
        "Flagged",
        "WhatsApp has flagged it for bad quality and disables it if that does not improve",
      );
    case "PENDING":
    case "IN_APPEAL":
      return said("False", "InReview", "WhatsApp reviews the template; mostly minutes, up to a day");
    case "REJECTED": {
      const why = rejectedReason === "" || rejectedReason === "NONE" ? "" : `: ${rejectedReason}`;
      return said("False", "Rejected", `WhatsApp rejected the template${why}; change it to submit it again`);
    }
    case "PAUSED":
      return said("False", "PausedByWhatsApp", "WhatsApp paused it for bad quality, for some hours or until unpaused");
    case "DISABLED":
      return said("False", "Disabled", "WhatsApp disabled the template for bad quality; use another one");
    case "LOCKED":
    case "LIMIT_EXCEEDED":
      return said("False", "Locked", `WhatsApp says ${status}; see WhatsApp Manager`);
    case "ARCHIVED":
      return said("False", "Archived", "WhatsApp archived it, unused for a year; unarchive it in WhatsApp Manager");
    case "PENDING_DELETION":
      return said("False", "BeingDeleted", "it was deleted at WhatsApp, which still delivers messages of it");
    default:
      return said("False", "NotSendable", `WhatsApp says ${status}`);
  }
}

/** Whether WhatsApp has it. */
export function saySubmitted(facts: TemplateFacts, submission: Submission | undefined): Said {
  const obstacle = findObstacle(facts);
  if (obstacle !== undefined || facts.observed.kind === "away" || submission === undefined)
    return said("Unknown", obstacle?.reason ?? "TemplatesAway", obstacle?.message);
  if (facts.observed.value === undefined) return sayAbsent(facts, submission);
  return said("True", "Submitted", "WhatsApp has the template");
}

const passed = new Set("APPROVED FLAGGED PAUSED DISABLED LOCKED LIMIT_EXCEEDED ARCHIVED PENDING_DELETION".split(" "));

/** Whether its review is passed. */
export function sayApproved(facts: TemplateFacts): Said {
  const obstacle = findObstacle(facts);
  if (obstacle !== undefined || facts.observed.kind === "away")
    return said("Unknown", obstacle?.reason ?? "TemplatesAway", obstacle?.message);
  const { value } = facts.observed;
  if (value === undefined) return said("False", "Missing", "WhatsApp has no such template");
  if (passed.has(value.status)) return said("True", "Approved");
  const { reason, message } = saySendable(value);
  return said(value.status === "REJECTED" ? "False" : "Unknown", reason, message);
}

/** `texts` are the differences for people. */
export function sayDrifted(facts: TemplateFacts, submission: Submission | undefined, texts: readonly string[]): Said {
  const obstacle = findObstacle(facts);
  if (obstacle !== undefined || facts.observed.kind === "away" || submission === undefined)
    return said("Unknown", obstacle?.reason ?? "TemplatesAway", obstacle?.message);
  if (texts.length === 0) {
    return facts.observed.value === undefined
      ? said("False", "Missing", "WhatsApp has no such template")
      : said("False", "AsDeclared");
  }
  const { reason, message } = sayWhatBecomes(facts, submission);
  return said("True", reason, `${texts.join("; ")}. ${message}`);
}

function sayWhatBecomes(facts: TemplateFacts, submission: Submission): Pick<Said, "reason" | "message"> {
  const refusal = refusalOf(facts, submission);
  if (refusal !== undefined) return refusal;
  switch (submission.kind) {
    case "create":
    case "edit":
      return { reason: "Editing", message: "The template is being edited at WhatsApp" };
    case "wait": {
      const until = submission.until === undefined ? "" : ` It is edited at ${submission.until.toISOString()}`;
      return { reason: submission.why, message: `Not edited now: ${submission.message}.${until}` };
    }
    case "never":
      return { reason: submission.why, message: `Not edited: ${submission.message}` };
    case "none":
      return { reason: submission.why, message: idle[submission.why] };
  }
}

const idle = {
  AsDeclared: "",
  Missing: "",
  Observed: "Not edited: managementPolicy is Observe",
  RejectedAsDeclared: "Not edited: WhatsApp rejected this very content; change it",
  KeptByWhatsApp: "Not edited: this is what WhatsApp makes of what was submitted",
} as const;

const working: ReadonlySet<Reason> = new Set<Reason>([
  "TemplatesAway",
  "Submitting",
  "NoConnectedNumber",
  "RateLimited",
  "InReview",
  "PausedByWhatsApp",
  "NotSendable",
  "Deleting",
  "Editing",
  "EditLimit",
]);

/** For kstatus: helm, Flux and Argo wait by these. */
export function sayForTools(ready: Said, drifted: Said): { Reconciling: Said; Stalled: Said } {
  const told = drifted.status === "True" ? [ready, drifted] : [ready];
  const stuck = told.find(({ reason }) => stalling.has(reason));
  const busy = told.find(({ reason }) => working.has(reason));
  return {
    Reconciling: stuck === undefined && busy !== undefined ? said("True", busy.reason, busy.message) : nothing,
    Stalled: stuck === undefined ? nothing : said("True", stuck.reason, stuck.message),
  };
}

const nothing = said("False", "NothingToDo");

/** WhatsApp's words of the two fields whose values the resource spells otherwise; JSON of all others. */
export function toValue(field: string, text: string): string {
  if (field !== "category" && field !== "parameter_format") return text;
  return toWord(text) ?? text;
}
