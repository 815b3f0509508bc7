// Do the values of a template message fit the template, and what will the user read. Checked in the order of the components:
// the first fault decides.
import { type ButtonPlan, fillPattern, type Pattern, type TemplatePlan } from "./template.ts";

/** A value as JSON: text for most types, an object for currency, date_time and media. */
export type SentParameter = { type: string; parameterName: string; value: unknown };

/** Types and sub types in lower case. */
export type SentComponent = {
  type: string;
  subType: string;
  index: number | undefined;
  parameters: readonly SentParameter[];
};

export type CheckedTemplate = { fits: true; text: string } | { fits: false; code: number; details: string };

type Fault = { code: number; details: string };

/** From v23 on Graph answers one code for every parameter that does not fit. */
type Codes = { format: number; value: number };

const codesFrom23: Codes = { format: 132018, value: 132018 };
const codesBefore23: Codes = { format: 132012, value: 100 };

const maxOneTimeCode = 15;
const maxCouponCode = 20;

/** `graphVersion` is that of the request: 24 for v24.0. */
export function checkTemplate(
  plan: TemplatePlan,
  sent: readonly SentComponent[],
  graphVersion: number,
): CheckedTemplate {
  const codes = graphVersion >= 23 ? codesFrom23 : codesBefore23;
  const header = sent.find((component) => component.type === "header");
  const body = sent.find((component) => component.type === "body");
  const fault =
    checkKinds(sent, codes) ??
    checkHeader(plan, header, codes) ??
    checkText("body", plan.body, body?.parameters ?? [], plan.named, codes) ??
    checkButtons(plan, sent, codes) ??
    checkOneTimeCode(plan, body, codes);
  if (fault !== undefined) return { fits: false, ...fault };
  return { fits: true, text: render(plan, header, body) };
}

function checkKinds(sent: readonly SentComponent[], codes: Codes): Fault | undefined {
  for (const { type } of sent) {
    if (type === "header" || type === "body" || type === "button") continue;
    return { code: codes.format, details: `${type}: this template has no such component` };
  }
  return undefined;
}

function checkHeader(plan: TemplatePlan, header: SentComponent | undefined, codes: Codes): Fault | undefined {
  const parameters = header?.parameters ?? [];
  if (plan.headerMedia === undefined) {
    return checkText("header", plan.header ?? { text: "", variables: [] }, parameters, plan.named, codes);
  }
  const [media] = parameters;
  if (media?.type === plan.headerMedia && parameters.length === 1) return undefined;
  const expected = plan.headerMedia.toUpperCase();
  const details = `header: Format mismatch, expected ${expected}, received ${media?.type.toUpperCase() ?? "UNKNOWN"}`;
  return { code: codes.format, details };
}

function checkText(
  place: string,
  { variables }: Pattern,
  parameters: readonly SentParameter[],
  named: boolean,
  codes: Codes,
): Fault | undefined {
  if (parameters.length !== variables.length) {
    const counts = `(${parameters.length}) does not match the expected number of params (${variables.length})`;
    return { code: 132000, details: `${place}: number of localizable_params ${counts}` };
  }
  const names = parameters.map(({ parameterName }) => parameterName);
  if (named && (new Set(names).size !== names.length || names.some((name) => !variables.includes(name)))) {
    return { code: codes.format, details: `${place}: parameter_name is missing or not one of the template's` };
  }
  for (const [at, parameter] of parameters.entries()) {
    const text = textOf(parameter);
    if (text === undefined) return { code: codes.format, details: `${place}: parameter ${at + 1} is not text` };
    const flaw = flawOf(text);
    if (flaw !== undefined) return { code: codes.value, details: `${place}: parameter ${at + 1} ${flaw}` };
  }
  return undefined;
}

/** The text of a parameter that stands in a text; undefined if it is of another kind. */
function textOf({ type, value }: SentParameter): string | undefined {
  if (type === "text") return typeof value === "string" ? value : undefined;
  if (type !== "currency" && type !== "date_time") return undefined;
  if (typeof value !== "object" || value === null || !("fallback_value" in value)) return undefined;
  return typeof value.fallback_value === "string" ? value.fallback_value : undefined;
}

function flawOf(text: string): string | undefined {
  if (text.trim() === "") return "is empty";
  return /[\n\r\t]| {5}/.test(text) ? "has new-line or tab characters or more than 4 consecutive spaces" : undefined;
}

function checkButtons(plan: TemplatePlan, sent: readonly SentComponent[], codes: Codes): Fault | undefined {
  const given = sent.filter(({ type }) => type === "button");
  for (const { index, subType, parameters } of given) {
    const button = index === undefined ? undefined : plan.buttons[index];
    if (button === undefined)
      return { code: 132018, details: `button: the template has none at index ${index ?? "?"}` };
    const fault = checkButton(button, subType, parameters, index ?? 0);
    if (fault !== undefined) return fault;
  }
  for (const [at, { value }] of plan.buttons.entries()) {
    if (value === undefined || given.some(({ index }) => index === at)) continue;
    return { code: codes.format, details: `button: the one at index ${at} requires a parameter` };
  }
  return undefined;
}

function checkButton(
  button: ButtonPlan,
  subType: string,
  parameters: readonly SentParameter[],
  at: number,
): Fault | undefined {
  if (subType !== button.subType) {
    return { code: 132018, details: `button: the one at index ${at} is ${button.subType}, not ${subType}` };
  }
  if (subType === "quick_reply") {
    const wrong = parameters.some(({ type }) => type !== "payload");
    return wrong ? { code: 132018, details: `button: the one at index ${at} takes a payload` } : undefined;
  }
  const expected = button.value === undefined ? 0 : 1;
  if (parameters.length !== expected) {
    const counts = `(${parameters.length}) does not match the expected number of params (${expected})`;
    return { code: 132000, details: `button: number of params at index ${at} ${counts}` };
  }
  const [parameter] = parameters;
  if (parameter === undefined) return undefined;
  const text = parameter.type === button.value && typeof parameter.value === "string" ? parameter.value : undefined;
  const tooLong = button.value === "coupon_code" && (text?.length ?? 0) > maxCouponCode;
  if (text !== undefined && text !== "" && !tooLong) return undefined;
  return { code: 132018, details: `button: the parameter at index ${at} is not valid` };
}

function checkOneTimeCode(plan: TemplatePlan, body: SentComponent | undefined, codes: Codes): Fault | undefined {
  if (!plan.authentication) return undefined;
  const code = body?.parameters[0]?.value;
  if (typeof code !== "string" || code.length <= maxOneTimeCode) return undefined;
  return { code: codes.value, details: `body: a one-time code has at most ${maxOneTimeCode} characters` };
}

function render(plan: TemplatePlan, header: SentComponent | undefined, body: SentComponent | undefined): string {
  const lines = [
    plan.headerMedia === undefined ? fill(plan.header, header, plan.named) : `[${plan.headerMedia}]`,
    fill(plan.body, body, plan.named),
    plan.footer,
    plan.buttons.map(({ label }) => `[${label}]`).join(" "),
  ];
  return lines.filter((line) => line !== "").join("\n");
}

function fill(pattern: Pattern | undefined, component: SentComponent | undefined, named: boolean): string {
  if (pattern === undefined) return "";
  const values = (component?.parameters ?? []).map((parameter, at): [string, string] => [
    named ? parameter.parameterName : String(at + 1),
    textOf(parameter) ?? "",
  ]);
  return fillPattern(pattern, new Map(values));
}
