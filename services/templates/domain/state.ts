// What a template's review state means for sending, and which of two reports of it holds.
// WhatsApp is the authority: a state that we do not know is kept and shown as it came.

/** The states and events that Meta documents; others are counted, so that we notice. */
const documented = new Set(
  "PENDING APPROVED REJECTED PAUSED DISABLED IN_APPEAL PENDING_DELETION DELETED LIMIT_EXCEEDED FLAGGED LOCKED ARCHIVED".split(
    " ",
  ),
);

export function isDocumented(status: string): boolean {
  return documented.has(status);
}

export type Sendability = "sendable" | "template_missing" | "template_paused" | "template_disabled";

/**
 * Only APPROVED is sendable, whatever its quality; and FLAGGED, which exists only in the older scheme, where it was a
 * warning of seven days in which the template could still be sent. Undefined: no such template.
 */
export function sendability(status: string | undefined): Sendability {
  switch (status) {
    case "APPROVED":
    case "FLAGGED":
      return "sendable";
    case "PAUSED":
      return "template_paused";
    case "DISABLED":
      return "template_disabled";
    default:
      return "template_missing";
  }
}

/** The state after an event: two events are not named after the state that they lead to. */
export function statusAfter(event: string): string {
  return event === "REINSTATED" || event === "UNARCHIVED" ? "APPROVED" : event;
}

/** A value as WhatsApp told it, and when. */
export type Told = { value: string; at: Date };

/** What can change without the text. */
export type Review = { status: Told; quality: Told; category: Told; rejectedReason: Told };

export type ReviewNews = { field: keyof Review; value: string; at: Date };

/** The newer report holds. Answers the same object if nothing changes. */
export function afterNews(review: Review, { field, value, at }: ReviewNews): Review {
  const told = review[field];
  if (told.value === value || isOlder(at, told.at)) return review;
  return { ...review, [field]: { value, at } };
}

// Meta's events carry whole seconds, so an event of the same second as a sync may well be newer.
const secondMs = 1_000;

function isOlder(at: Date, known: Date): boolean {
  return at.getTime() < Math.floor(known.getTime() / secondMs) * secondMs;
}

/**
 * After an edit that WhatsApp took: in review. Unless the status was told anew since it was decided upon: then the review's own
 * news was quicker than the answer. `status` is the one that was decided upon at `at`, `category` is empty where it stays.
 */
export function afterEdit(
  review: Review,
  { status, category, at }: { status: string; category: string; at: Date },
): Review {
  const told = (value: string): Told => ({ value, at });
  const isReviewed = review.status.value !== status || review.status.at > at;
  return {
    ...review,
    ...(category !== "" && { category: told(category) }),
    ...(!isReviewed && { status: told("PENDING"), rejectedReason: told("NONE") }),
  };
}

/**
 * What is known after WhatsApp took a new template whose key was once that of a deleted one. If the row is not DELETED any more,
 * the review's own news was quicker than the answer, and holds.
 */
export function afterCreation(review: Review, created: Review): Review {
  if (review.status.value === "DELETED") return created;
  const newer = (field: keyof Review): Told => (review[field].at > created[field].at ? review[field] : created[field]);
  return {
    category: newer("category"),
    quality: newer("quality"),
    status: review.status,
    rejectedReason: review.rejectedReason,
  };
}
