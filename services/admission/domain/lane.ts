// Which lane a message takes when its client names none: marketing must never delay an answer.
export type Lane = "reply" | "bulk";

/** `category` is that of a template message, empty for others. */
export function laneOf(asked: Lane | undefined, category: string): Lane {
  if (asked !== undefined) return asked;
  return category === "MARKETING" ? "bulk" : "reply";
}
