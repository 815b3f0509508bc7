// Texts with variables and the parameters that fill them.
import { isRecord, type ParameterFormat, type Text, variablePattern } from "./components.ts";
import { firstRefusal, type Verdict, wrongCount, wrongFormat, wrongValue } from "./refusal.ts";

/** One value of a message. `value` is what JSON has under the key that `type` names. */
export type Parameter = { type: string; name: string; value: unknown };

export type Component = {
  /** header, body, button, carousel, limited_time_offer, … */
  type: string;
  /** Of a button: url, quick_reply, copy_code, … */
  subType: string;
  /** Of a button, from 0. */
  index: number | undefined;
  parameters: readonly Parameter[];
  cards: readonly Card[];
};

export type Card = { index: number; components: readonly Component[] };

/** Whether the parameters fill the text: as many as it has variables, under their names if it names them, with fit values. */
export function checkTexts(
  part: string,
  text: Text,
  parameters: readonly Parameter[],
  format: ParameterFormat,
): Verdict {
  if (parameters.length !== text.variables.length) return wrongCount(part, text.variables.length, parameters.length);
  const refusal = format === "named" ? checkNames(part, text, parameters) : undefined;
  return (
    refusal ?? firstRefusal(parameters, (parameter, index) => checkText(`${part} parameter ${index + 1}`, parameter))
  );
}

function checkNames(part: string, text: Text, parameters: readonly Parameter[]): Verdict {
  const given = new Set(parameters.map(({ name }) => name));
  const missing = text.variables.filter((name) => !given.has(name));
  if (missing.length === 0) return undefined;
  return wrongFormat(part, `no parameter has the parameter_name ${missing.join(", ")}`);
}

function checkText(part: string, parameter: Parameter): Verdict {
  const value = textOf(parameter);
  if (value === undefined) return wrongFormat(part, "expected a text, or a currency or date_time with fallback_value");
  const fault = faultOf(value);
  return fault === undefined ? undefined : wrongValue(part, fault);
}

/** What the user will see of the parameter; undefined if it is of no type that a text takes. */
function textOf({ type, value }: Parameter): string | undefined {
  if (type === "text") return typeof value === "string" ? value : undefined;
  if (type !== "currency" && type !== "date_time") return undefined;
  return isRecord(value) && typeof value.fallback_value === "string" ? value.fallback_value : undefined;
}

/** What WhatsApp does not take in a value. */
export function faultOf(value: string): string | undefined {
  if (value.trim() === "") return "the text is empty";
  if (/[\n\r\t]/.test(value)) return "the text has a newline or a tab";
  if (/ {5}/.test(value)) return "the text has more than four spaces in a row";
  return undefined;
}

/** The text as the user sees it. A variable without a parameter stays as it is. */
export function fill(text: Text, parameters: readonly Parameter[], format: ParameterFormat): string {
  return text.text.replace(variablePattern, (whole, variable: string) => {
    const parameter =
      format === "named"
        ? parameters.find(({ name }) => name === variable)
        : parameters[text.variables.indexOf(variable)];
    return (parameter === undefined ? undefined : textOf(parameter)) ?? whole;
  });
}

/** Unicode code points, which is how Meta's limits count. */
export function lengthOf(text: string): number {
  return Array.from(text).length;
}
