// What Meta checks before it takes a template for review. The first fault decides. Codes: cloud-api §2.2 and §6.2; where Meta
// publishes no subcode there is none.
import type { ComponentDefinition } from "./template.ts";
import type { GraphError } from "./graph-error.ts";

/** One entry of Meta's `components`, as it is handed in. */
export type Component = ComponentDefinition & { readonly example?: unknown };

export type Definition = {
  category: string;
  /** POSITIONAL or NAMED. */
  parameterFormat: string;
  components: readonly Component[];
};

type Fault = GraphError | undefined;

const lengthExceeded = 2388040;
const headerFormat = 2388047;
const bodyFormat = 2388072;
const footerFormat = 2388073;
const tooManyVariables = 2388293;
const variableAtEdge = 2388299;

const longest = { header: 60, body: 1_024, footer: 60, label: 25, url: 2_000, phone: 20 };
const mostButtons = 10;

/** A refusal of the kind that management calls give: code 100, with the cause as a subcode and a text for people. */
export function refuse(title: string, text: string, subcode?: number): GraphError {
  return { code: 100, ...(subcode !== undefined && { subcode }), userTitle: title, userMessage: text };
}

export function checkDefinition(definition: Definition): Fault {
  const { category, components } = definition;
  const part = (type: string): Component | undefined =>
    components.find((component) => component.type.toUpperCase() === type);
  const body = part("BODY");
  if (body === undefined) return refuse("Body is missing", "a template needs a component of type BODY", bodyFormat);
  return (
    checkKinds(components) ??
    (category === "AUTHENTICATION" ? checkAuthentication(body, part("BUTTONS")) : checkBody(body, definition)) ??
    checkHeader(part("HEADER"), definition) ??
    checkFooter(part("FOOTER")) ??
    checkButtons(part("BUTTONS"))
  );
}

/** In seconds; -1 is 30 days. */
const ttlBounds: Readonly<Record<string, { least: number; most: number; takesMonth: boolean }>> = {
  AUTHENTICATION: { least: 30, most: 900, takesMonth: true },
  UTILITY: { least: 30, most: 43_200, takesMonth: true },
  MARKETING: { least: 43_200, most: 2_592_000, takesMonth: false },
};

/** Of `message_send_ttl_seconds`. */
export function checkTtl(category: string, ttl: number | undefined): Fault {
  const bounds = ttlBounds[category];
  if (ttl === undefined || bounds === undefined) return undefined;
  const { least, most, takesMonth } = bounds;
  if ((ttl >= least && ttl <= most) || (takesMonth && ttl === -1)) return undefined;
  return refuse(
    "Time to live is not valid",
    `message_send_ttl_seconds of category ${category} must be ${least} to ${most}${takesMonth ? ", or -1" : ""}`,
  );
}

const kinds = new Set("HEADER BODY FOOTER BUTTONS LIMITED_TIME_OFFER CAROUSEL CALL_PERMISSION_REQUEST".split(" "));

function checkKinds(components: readonly Component[]): Fault {
  const seen = new Set<string>();
  for (const { type } of components) {
    const kind = type.toUpperCase();
    if (!kinds.has(kind)) return refuse("Invalid parameter", `components: there is no type ${kind}`);
    if (seen.has(kind)) return refuse("Invalid parameter", `components: type ${kind} comes twice`);
    seen.add(kind);
  }
  return undefined;
}

/** Meta writes the text of a one-time code itself. */
function checkAuthentication(body: Component, buttons: Component | undefined): Fault {
  if (body.text !== undefined) return refuse("Body is not valid", "an authentication template has no text", bodyFormat);
  const [button, second] = buttons?.buttons ?? [];
  if (button?.type.toUpperCase() === "OTP" && second === undefined) return undefined;
  return refuse("Buttons are not valid", "an authentication template needs one button of type OTP");
}

const formats = new Set("TEXT IMAGE VIDEO DOCUMENT LOCATION GIF PRODUCT".split(" "));

function checkHeader(header: Component | undefined, { parameterFormat }: Definition): Fault {
  if (header === undefined) return undefined;
  const format = (header.format ?? "").toUpperCase();
  if (!formats.has(format)) return refuse("Header is not valid", "format is missing or unknown", headerFormat);
  const { text = "" } = header;
  if (format === "LOCATION" || format === "PRODUCT") return undefined;
  if (format !== "TEXT") {
    return hasExample(header, "header_handle") ? undefined : missingExample("HEADER", "header_handle");
  }
  if (text === "") return refuse("Header is not valid", "text is missing", headerFormat);
  if (lengthOf(text) > longest.header) return tooLong("HEADER", longest.header);
  const variables = variablesOf(text);
  if (variables.length > 1) return refuse("Header is not valid", "a header takes one variable at most", headerFormat);
  const example = parameterFormat === "NAMED" ? "header_text_named_params" : "header_text";
  return variables.length === 1 && !hasExample(header, example) ? missingExample("HEADER", example) : undefined;
}

function checkBody(body: Component, { parameterFormat }: Definition): Fault {
  const { text = "" } = body;
  if (text.trim() === "") return refuse("Body is not valid", "text is missing", bodyFormat);
  if (lengthOf(text) > longest.body) return tooLong("BODY", longest.body);
  const isNamed = parameterFormat === "NAMED";
  return checkVariables(text, isNamed) ?? checkBodyExample(body, text, isNamed);
}

function checkVariables(text: string, isNamed: boolean): Fault {
  const variables = variablesOf(text);
  if (variables.length === 0) return undefined;
  const trimmed = text.trim();
  if (/^\{\{[^}]*\}\}/.test(trimmed) || /\{\{[^}]*\}\}$/.test(trimmed))
    return refuse("Variables at the edge", "a variable may not stand at the start or end of the text", variableAtEdge);
  if (/\}\}\s*\{\{/.test(text))
    return refuse("Variables are not valid", "two variables may not follow each other", bodyFormat);
  if (!areNumbered(variables, isNamed))
    return refuse(
      "Variables are not valid",
      isNamed ? "names are lower-case letters, digits and underscores" : "numbers must go from 1 without a gap",
      bodyFormat,
    );
  const words = text
    .replace(/\{\{[^}]*\}\}/g, " ")
    .split(/\s+/)
    .filter((word) => /[\p{L}\p{N}]/u.test(word));
  if (words.length < 2 * variables.length + 1)
    return refuse("Too many variables", "the text is too short for its variables", tooManyVariables);
  return undefined;
}

function areNumbered(variables: readonly string[], isNamed: boolean): boolean {
  if (isNamed) return variables.every((name) => /^[a-z][a-z0-9_]*$/.test(name));
  const numbers = variables.map(Number).toSorted((a, b) => a - b);
  return numbers.every((number, at) => number === at + 1);
}

function checkBodyExample(body: Component, text: string, isNamed: boolean): Fault {
  const variables = variablesOf(text);
  const example = isNamed ? "body_text_named_params" : "body_text";
  if (variables.length === 0 || hasExample(body, example)) return undefined;
  return missingExample("BODY", example);
}

function checkFooter(footer: Component | undefined): Fault {
  const { text = "" } = footer ?? {};
  if (lengthOf(text) > longest.footer) return tooLong("FOOTER", longest.footer);
  if (variablesOf(text).length === 0) return undefined;
  return refuse("Footer is not valid", "a footer takes no variables", footerFormat);
}

const mostOf: Readonly<Record<string, number>> = { URL: 2, PHONE_NUMBER: 1, COPY_CODE: 1, FLOW: 1 };

function checkButtons(component: Component | undefined): Fault {
  const buttons = component?.buttons ?? [];
  if (buttons.length > mostButtons) return refuse("Buttons are not valid", `at most ${mostButtons} buttons`);
  const types = buttons.map(({ type }) => type.toUpperCase());
  for (const [type, most] of Object.entries(mostOf)) {
    if (types.filter((one) => one === type).length > most)
      return refuse("Buttons are not valid", `at most ${most} of type ${type}`);
  }
  const firstReply = types.indexOf("QUICK_REPLY");
  const replies = types.filter((type) => type === "QUICK_REPLY").length;
  if (firstReply !== -1 && types.slice(firstReply, firstReply + replies).some((type) => type !== "QUICK_REPLY"))
    return refuse("Buttons are not valid", "quick replies must stand together");
  for (const { text = "", url = "" } of buttons) {
    if (lengthOf(text) > longest.label) return tooLong("BUTTONS", longest.label);
    if (url.length > longest.url) return tooLong("BUTTONS", longest.url);
    if (/\{\{[^}]*\}\}(?!$)/.test(url))
      return refuse("Buttons are not valid", "the variable of a url must stand at its end");
  }
  return undefined;
}

function variablesOf(text: string): string[] {
  return [...new Set(Array.from(text.matchAll(/\{\{\s*([^}]*?)\s*\}\}/g), ([, name]) => name ?? ""))];
}

function hasExample({ example }: Component, key: string): boolean {
  if (typeof example !== "object" || example === null) return false;
  const given: unknown = Reflect.get(example, key);
  return Array.isArray(given) && given.length > 0;
}

function missingExample(type: string, key: string): GraphError {
  return refuse("Example is missing", `component of type ${type} needs example.${key}`);
}

function tooLong(type: string, most: number): GraphError {
  return refuse("Text is too long", `component of type ${type}: at most ${most} characters`, lengthExceeded);
}

/** Unicode code points, which is how Meta counts. */
function lengthOf(text: string): number {
  return Array.from(text).length;
}
