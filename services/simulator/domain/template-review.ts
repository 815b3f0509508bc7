// Review and the life of a template: what Meta decides, and when. Deterministic, so that a test finds the same decision again.
//
//   from                        event    to
//   none                        create   PENDING
//   PENDING                     review   APPROVED, or REJECTED with a reason (a mark in the body: [[reject:SCAM]])
//   PENDING, UTILITY            review   APPROVED as MARKETING (a mark in the body: [[marketing]])
//   APPROVED                    edit     PENDING; at most once in 24 hours and 10 times in 30 days; never its category
//   REJECTED, PAUSED            edit     PENDING
//   all but DISABLED            delete   gone; the name of an APPROVED one is blocked for 30 days
import { refuse } from "./template-definition.ts";
import type { GraphError } from "./graph-error.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Two to six hours, and one text in ten takes a day because a person looks at it. `hash` is a whole number made of the text. */
export function guideDelayMs(hash: number): number {
  return hash % 10 === 0 ? dayMs : 2 * hourMs + (hash % 14_401) * 1_000;
}

export type Review = { status: "APPROVED"; category: string } | { status: "REJECTED"; reason: string };

export function decideReview(category: string, body: string): Review {
  const reason = /\[\[reject:([A-Z_]+)\]\]/.exec(body)?.[1];
  if (reason !== undefined) return { status: "REJECTED", reason };
  return {
    status: "APPROVED",
    category: category === "UTILITY" && body.includes("[[marketing]]") ? "MARKETING" : category,
  };
}

const mostCreationsPerHour = 100;

/** Whether one more may be created; `creations` are the times of those before. */
export function decideCreate(
  { creations, templates, isVerified }: { creations: readonly number[]; templates: number; isVerified: boolean },
  at: number,
): GraphError | undefined {
  if (creations.filter((time) => time > at - hourMs).length >= mostCreationsPerHour)
    return { code: 80007, details: `at most ${mostCreationsPerHour} templates may be created in an hour` };
  const most = isVerified ? 6_000 : 250;
  if (templates >= most) return refuse("Too many templates", `this account may have ${most} templates`, 2388019);
  return undefined;
}

const mostEditsPerMonth = 10;
const editable = new Set(["APPROVED", "REJECTED", "PAUSED"]);

/** `edits` are the times at which it was edited while it was APPROVED. */
export function decideEdit(
  { status, edits }: { status: string; edits: readonly number[] },
  { changesCategory }: { changesCategory: boolean },
  at: number,
): GraphError | undefined {
  if (!editable.has(status)) return refuse("Template cannot be edited", `its status is ${status}`);
  if (status !== "APPROVED") return undefined;
  if (changesCategory) return refuse("Template cannot be edited", "the category of an approved template stays");
  if (edits.some((time) => time > at - dayMs))
    return refuse("Template cannot be edited", "an approved template may be edited once in 24 hours");
  if (edits.filter((time) => time > at - 30 * dayMs).length >= mostEditsPerMonth)
    return refuse(
      "Template cannot be edited",
      `an approved template may be edited ${mostEditsPerMonth} times in 30 days`,
    );
  return undefined;
}

/** Until when the name and language of a deleted template may not be used again; undefined: not at all. */
export function blockedUntil(status: string, at: number): number | undefined {
  return status === "APPROVED" ? at + 30 * dayMs : undefined;
}
