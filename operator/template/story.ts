// Tells in events what became of a template: one for each transition that a person would want to know of.
import type { WhatsAppTemplate } from "../api/v1alpha1/whatsapp-template.ts";
import type { EventNote } from "../runtime/events.ts";
import { stalling } from "./reasons.ts";
import type { TemplateStatus } from "./status.ts";

type Before = WhatsAppTemplate["status"];

export function transitionsOf(before: Before, after: TemplateStatus): EventNote[] {
  return [
    ...submission(before, after),
    ...category(before, after),
    ...readiness(before, after),
    ...drift(before, after),
  ];
}

function submission(before: Before, after: TemplateStatus): EventNote[] {
  if (after.lastSubmittedTime === undefined || after.lastSubmittedTime === before?.lastSubmittedTime) return [];
  const isFirst = before?.id === undefined;
  const note = isFirst ? "the template was handed in for review" : "an edit was handed in for review";
  return [{ type: "Normal", reason: isFirst ? "Submitted" : "Edited", action: "Submit", note }];
}

function category(before: Before, after: TemplateStatus): EventNote[] {
  if (before?.category === undefined || after.category === undefined || before.category === after.category) return [];
  const note = `WhatsApp has changed the category from ${before.category} to ${after.category}, by which it charges`;
  return [{ type: "Warning", reason: "CategoryChanged", action: "Review", note }];
}

function conditionOf(status: Before, type: string) {
  return status?.conditions?.find((condition) => condition.type === type);
}

const warnings = new Set(["PausedByWhatsApp", "Flagged"]);

function readiness(before: Before, after: TemplateStatus): EventNote[] {
  const [was, is] = [conditionOf(before, "Ready"), conditionOf(after, "Ready")];
  if (is === undefined || (was?.status === is.status && was.reason === is.reason)) return [];
  // The event of the submission tells it.
  if (is.reason === "Submitting") return [];
  const isBad = warnings.has(is.reason) || Array.from<string>(stalling).includes(is.reason);
  return [{ type: isBad ? "Warning" : "Normal", reason: is.reason, action: "Review", note: is.message }];
}

function drift(before: Before, after: TemplateStatus): EventNote[] {
  const [was, is] = [conditionOf(before, "Drifted"), conditionOf(after, "Drifted")];
  if (is === undefined) return [];
  if (is.status === "True" && (was?.status !== "True" || was.message !== is.message))
    return [
      {
        type: "Warning",
        reason: is.reason === "Refused" ? "EditRefused" : "Drifted",
        action: "Compare",
        note: is.message,
      },
    ];
  if (is.status === "False" && is.reason === "AsDeclared" && was?.status === "True")
    return [{ type: "Normal", reason: "DriftResolved", action: "Compare", note: "WhatsApp has what is declared" }];
  return [];
}
