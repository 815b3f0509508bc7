// Whether a template may be created, edited or deleted now. WhatsApp decides in the end; this spares its limits, and tells when.
//
//   state                        create    edit                                             delete
//   none, DELETED                yes       no such template                                 no such template
//   APPROVED                     exists    once in 24 hours, 10 times in 30 days, not the    yes
//                                          category
//   REJECTED, PAUSED             exists    yes                                              yes
//   DISABLED                     exists    no                                               no
//   any other                    exists    no                                               yes

const dayMs = 24 * 3_600_000;
const monthMs = 30 * dayMs;
const mostEditsPerMonth = 10;

export type ChangeRefusal = {
  refused:
    | "template_exists"
    | "template_missing"
    | "template_not_editable"
    | "template_edit_limit"
    | "template_not_deletable";
  /** For people; follows the template's name. */
  details: string;
  /** When time alone will have helped. */
  until?: Date;
};

/** Undefined: it may. */
export type ChangeVerdict = ChangeRefusal | undefined;

/** Whether WhatsApp still has it. */
export function isPresent(status: string | undefined): status is string {
  return status !== undefined && status !== "DELETED";
}

export function decideCreate(status: string | undefined): ChangeVerdict {
  return isPresent(status) ? { refused: "template_exists", details: `exists and is ${status}` } : undefined;
}

/** `edits` are the times at which it was edited while it was APPROVED. */
export type Editable = { status: string | undefined; category: string; edits: readonly Date[] };

/** `category` is empty where it is to stay. */
export function decideEdit(template: Editable, { category }: { category: string }, now: Date): ChangeVerdict {
  const { status, edits } = template;
  if (!isPresent(status)) return missing;
  if (status === "REJECTED" || status === "PAUSED") return undefined;
  if (status !== "APPROVED") return { refused: "template_not_editable", details: `is ${status} and can not be edited` };
  if (category !== "" && category !== template.category)
    return { refused: "template_not_editable", details: `is APPROVED, so its category stays ${template.category}` };
  const until = editableAt(edits, now);
  if (until === undefined) return undefined;
  return {
    refused: "template_edit_limit",
    details: `was edited as often as WhatsApp allows until ${until.toISOString()}`,
    until,
  };
}

const missing: ChangeRefusal = { refused: "template_missing", details: "does not exist" };

/** Undefined: now. */
function editableAt(edits: readonly Date[], now: Date): Date | undefined {
  const times = edits.map((edit) => edit.getTime()).toSorted((a, b) => b - a);
  const dayEndsAt = (times[0] ?? Number.NEGATIVE_INFINITY) + dayMs;
  const monthEndsAt = (times[mostEditsPerMonth - 1] ?? Number.NEGATIVE_INFINITY) + monthMs;
  const at = Math.max(dayEndsAt, monthEndsAt);
  return at > now.getTime() ? new Date(at) : undefined;
}

/** The edits that still count after one more; only those of an approved template do. */
export function editsAfter({ status, edits }: Editable, now: Date): Date[] {
  const counting = edits.filter((edit) => edit.getTime() > now.getTime() - monthMs);
  return status === "APPROVED" ? [...counting, now] : counting;
}

export function decideDelete(status: string | undefined): ChangeVerdict {
  if (!isPresent(status)) return missing;
  return status === "DISABLED"
    ? { refused: "template_not_deletable", details: "is DISABLED and can not be deleted" }
    : undefined;
}
