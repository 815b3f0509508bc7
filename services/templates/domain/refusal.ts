// Why a template message may not be sent. Details are for people: they name the part, what was expected and what was
// found, and never a value.

export type RefusalReason =
  | "template_missing"
  | "template_paused"
  | "template_disabled"
  | "template_parameter_count"
  | "template_parameter_format"
  | "template_parameter_value"
  | "template_text_too_long";

export type Refusal = { refused: RefusalReason; details: string };

/** Undefined: nothing is wrong. */
export type Verdict = Refusal | undefined;

export function wrongCount(part: string, expected: number, found: number): Refusal {
  return { refused: "template_parameter_count", details: `${part}: expected ${plural(expected)}, found ${found}` };
}

function plural(count: number): string {
  return count === 1 ? "1 parameter" : `${count} parameters`;
}

export function wrongFormat(part: string, what: string): Refusal {
  return { refused: "template_parameter_format", details: `${part}: ${what}` };
}

export function wrongValue(part: string, what: string): Refusal {
  return { refused: "template_parameter_value", details: `${part}: ${what}` };
}

/** The first that is wrong. */
export function firstRefusal<T>(items: readonly T[], check: (item: T, index: number) => Verdict): Verdict {
  for (const [index, item] of items.entries()) {
    const refusal = check(item, index);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}
