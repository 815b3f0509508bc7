// The buttons of a template and what a message says about them.
import type { Button } from "./components.ts";
import { firstRefusal, type Verdict, wrongCount, wrongFormat, wrongValue } from "./refusal.ts";
import { type Component, fill, faultOf, lengthOf, type Parameter } from "./texts.ts";

const couponLimit = 20;
export const codeLimit = 15;

/** `where` stands before the part's name in details, such as "card 0 ". */
export function checkButtons(buttons: readonly Button[], components: readonly Component[], where: string): Verdict {
  const stray = firstRefusal(components, ({ index, subType }, position) => {
    if (index === undefined) return wrongValue(`${where}button`, "the index is missing");
    const button = buttons[index];
    if (button === undefined)
      return wrongValue(`${where}button ${index}`, `the template has ${buttons.length} buttons`);
    const expected = subTypeOf(button);
    if (subType !== expected) return wrongValue(`${where}button ${index}`, `expected sub_type ${expected}`);
    const isRepeated = components.findIndex((other) => other.index === index) < position;
    return isRepeated ? wrongValue(`${where}button ${index}`, "the index is given twice") : undefined;
  });
  if (stray !== undefined) return stray;
  return firstRefusal(buttons, (button, index) => {
    const component = components.find((candidate) => candidate.index === index);
    return checkButton(`${where}button ${index}`, button, component?.parameters);
  });
}

function subTypeOf(button: Button): string {
  return button.kind === "other" ? button.type : button.kind;
}

/** `parameters` is undefined where the message does not mention the button. */
function checkButton(part: string, button: Button, parameters: readonly Parameter[] | undefined): Verdict {
  switch (button.kind) {
    case "url":
      return checkUrl(part, button, parameters ?? []);
    case "copy_code":
      if (parameters === undefined) return wrongFormat(part, "expected a coupon_code, found nothing");
      return checkString(part, "coupon_code", parameters, couponLimit);
    case "quick_reply":
      return parameters === undefined ? undefined : checkString(part, "payload", parameters, Number.POSITIVE_INFINITY);
    case "other":
      return undefined;
  }
}

function checkUrl(part: string, { url, otp }: Button & { kind: "url" }, parameters: readonly Parameter[]): Verdict {
  if (parameters.length !== url.variables.length) return wrongCount(part, url.variables.length, parameters.length);
  const refusal = firstRefusal(parameters, ({ type, value }) => {
    if (type !== "text" || typeof value !== "string") return wrongFormat(part, "expected a text");
    const fault = faultOf(value) ?? (otp ? tooLong(value, codeLimit) : undefined);
    return fault === undefined ? undefined : wrongValue(part, fault);
  });
  if (refusal !== undefined || otp || parameters.length === 0) return refusal;
  // A link takes its one variable by position, also in a template whose variables have names.
  const filled = fill(url, parameters, "positional");
  return URL.canParse(filled) ? undefined : wrongValue(part, "the resulting link is not valid");
}

function checkString(part: string, type: string, parameters: readonly Parameter[], limit: number): Verdict {
  const [parameter] = parameters;
  if (parameter === undefined || parameters.length > 1) return wrongCount(part, 1, parameters.length);
  if (parameter.type !== type || typeof parameter.value !== "string") return wrongValue(part, `expected a ${type}`);
  if (parameter.value === "") return wrongValue(part, `the ${type} is empty`);
  const fault = tooLong(parameter.value, limit);
  return fault === undefined ? undefined : wrongValue(part, fault);
}

export function tooLong(value: string, limit: number): string | undefined {
  const length = lengthOf(value);
  return length > limit ? `expected at most ${limit} characters, found ${length}` : undefined;
}
