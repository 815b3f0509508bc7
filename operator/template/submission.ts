// What has to be said to WhatsApp so that it has what is declared, and when WhatsApp takes it. Pure; the local runner decides by the
// same rule.
//
//   at WhatsApp                         Enforce                                            Observe
//   nothing                             create                                             nothing
//   as declared                         nothing                                            nothing
//   other parameter format              never: only another name helps                     nothing
//   other category, APPROVED, and no    never: WhatsApp keeps the category it approved     nothing
//   other text (its time to live goes with the category)
//   REJECTED, this very content         nothing: a person must change it                   nothing
//   other soon after this was handed in nothing: this is what WhatsApp makes of it         nothing
//   other                               edit; in review: after it; at the limit: when it ends; other states: never
import type { EditedParts } from "../registration.ts";
import type { ObservedTemplate } from "./facts.ts";

export type SubmissionFacts = {
  policy: "Enforce" | "Observe";
  observed:
    | Pick<ObservedTemplate, "status" | "differences" | "isEditable" | "notEditableBecause" | "editableAt">
    | undefined;
  /** This very content was handed in: how long ago. */
  submittedMsAgo: number | undefined;
  /** These differences were found before to be what WhatsApp makes of this very content. */
  isKept: boolean;
};

export type Submission =
  | { kind: "none"; why: "AsDeclared" | "Missing" | "Observed" | "RejectedAsDeclared" | "KeptByWhatsApp" }
  | { kind: "create" }
  /** What is to be changed. */
  | ({ kind: "edit" } & EditedParts)
  | { kind: "wait"; why: "EditLimit" | "InReview"; message: string; until: Date | undefined }
  | { kind: "never"; why: "CategoryFixed" | "FormatFixed" | "NotEditable"; message: string };

/** Nobody else can have changed it so soon. */
const settledMs = 300_000;
const inReview = new Set(["PENDING", "IN_APPEAL"]);
const ttlField = "message_send_ttl_seconds";

export function decideSubmission({ policy, observed, submittedMsAgo, isKept }: SubmissionFacts): Submission {
  if (observed === undefined) return policy === "Enforce" ? { kind: "create" } : { kind: "none", why: "Missing" };
  const { status, differences } = observed;
  if (differences.length === 0) return { kind: "none", why: "AsDeclared" };
  if (policy === "Observe") return { kind: "none", why: "Observed" };
  const differs = (field: string): boolean => differences.some((difference) => difference.field === field);
  if (differs("parameter_format"))
    return never("FormatFixed", "WhatsApp does not let the parameterFormat of a template change; use another name");
  const components = differences.some(({ field }) => field !== "category" && field !== ttlField);
  const category = differs("category") && status !== "APPROVED";
  // Each category has bounds of its own: under another one than declared WhatsApp would refuse it.
  const messageTtl = differs(ttlField) && (category || !differs("category"));
  if (!components && !category && !messageTtl)
    return never("CategoryFixed", "WhatsApp does not let the category of an approved template change");
  if (submittedMsAgo !== undefined) {
    if (status === "REJECTED") return { kind: "none", why: "RejectedAsDeclared" };
    if (status === "PENDING" || submittedMsAgo < settledMs || isKept) return { kind: "none", why: "KeptByWhatsApp" };
  }
  return whenEditable(observed, { category, components, messageTtl });
}

function whenEditable(
  { status, isEditable, notEditableBecause, editableAt }: NonNullable<SubmissionFacts["observed"]>,
  change: EditedParts,
): Submission {
  if (isEditable) return { kind: "edit", ...change };
  if (editableAt !== undefined)
    return { kind: "wait", why: "EditLimit", message: notEditableBecause, until: editableAt };
  if (inReview.has(status)) return { kind: "wait", why: "InReview", message: notEditableBecause, until: undefined };
  return never("NotEditable", notEditableBecause);
}

function never(why: "CategoryFixed" | "FormatFixed" | "NotEditable", message: string): Submission {
  return { kind: "never", why, message };
}
