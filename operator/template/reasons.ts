// Every reason that a condition of a template can have, and which of them wait for a person.

export type Reason =
  | "Deleting"
  | "DeletionFailed"
  | "Paused"
  | "NotPaused"
  | "TemplateInUse"
  | "AccountMissing"
  | "AccountInUse"
  | "TemplatesAway"
  | "Missing"
  | "Submitting"
  | "Submitted"
  | "NoConnectedNumber"
  | "Refused"
  | "NameBlocked"
  | "TooManyTemplates"
  | "RateLimited"
  | "TokenRefused"
  | "Approved"
  | "Flagged"
  | "InReview"
  | "Rejected"
  | "PausedByWhatsApp"
  | "Disabled"
  | "Locked"
  | "Archived"
  | "BeingDeleted"
  | "NotSendable"
  | "AsDeclared"
  | "Observed"
  | "Editing"
  | "EditLimit"
  | "CategoryFixed"
  | "FormatFixed"
  | "NotEditable"
  | "KeptByWhatsApp"
  | "RejectedAsDeclared"
  | "NothingToDo";

/** Of Ready, or of Drifted: a person must act. */
export const stalling: ReadonlySet<Reason> = new Set<Reason>([
  "DeletionFailed",
  "TemplateInUse",
  "AccountMissing",
  "AccountInUse",
  "Missing",
  "Refused",
  "NameBlocked",
  "TooManyTemplates",
  "TokenRefused",
  "Rejected",
  "Disabled",
  "Locked",
  "Archived",
  "BeingDeleted",
]);
