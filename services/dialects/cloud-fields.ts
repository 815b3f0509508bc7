// Schemas of single values in a client's body. Texts end up in Postgres, which takes no NUL, and travel as UTF-8, which has no
// half of a surrogate pair.
import { z } from "zod";

export const string = z
  .string("must be a string")
  .refine((text) => !text.includes("\0"), "must not contain NUL")
  .refine((text) => text.isWellFormed(), "must be valid Unicode, without half a surrogate pair");

export const filled = string.min(1, "must not be empty");

/** At most so many Unicode code points; more is the issue too_big. */
export function atMost(maximum: number) {
  return z.check<string>(({ value, issues }) => {
    if (value.length <= maximum || Array.from(value).length <= maximum) return;
    const message = `must have at most ${maximum} characters`;
    issues.push({ code: "too_big", origin: "string", maximum, inclusive: true, input: value, message });
  });
}
