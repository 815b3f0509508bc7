// What a template asks of a message, read once from Meta's components: its texts, their variables, its buttons.

/** One entry of Meta's `components`; only the keys that bear on sending. */
export type ComponentDefinition = {
  type: string;
  format?: string | undefined;
  text?: string | undefined;
  buttons?: readonly ButtonDefinition[] | undefined;
};

export type ButtonDefinition = { type: string; text?: string | undefined; url?: string | undefined };

/** A text with its variables' names in order of first appearance; positional ones are "1", "2", … */
export type Pattern = { text: string; variables: readonly string[] };

/** `value` names the parameter that a message must give for the button; undefined where it takes none. */
export type ButtonPlan = { subType: string; label: string; value: "text" | "coupon_code" | undefined };

export type TemplatePlan = {
  named: boolean;
  authentication: boolean;
  /** Of a header with media or a location: image, video, document, gif or location. */
  headerMedia: string | undefined;
  header: Pattern | undefined;
  body: Pattern;
  footer: string;
  buttons: readonly ButtonPlan[];
};

type Definition = {
  category: string;
  parameterFormat: string;
  components: readonly ComponentDefinition[];
};

const variable = /\{\{\s*(\w+)\s*\}\}/g;

export function planTemplate({ category, parameterFormat, components }: Definition): TemplatePlan {
  const header = find(components, "HEADER");
  const isText = header === undefined || (header.format ?? "TEXT") === "TEXT";
  return {
    named: parameterFormat === "NAMED",
    authentication: category === "AUTHENTICATION",
    headerMedia: isText ? undefined : header.format?.toLowerCase(),
    header: isText && header !== undefined ? toPattern(header.text) : undefined,
    body: toPattern(find(components, "BODY")?.text),
    footer: find(components, "FOOTER")?.text ?? "",
    buttons: (find(components, "BUTTONS")?.buttons ?? []).map(toButtonPlan),
  };
}

function find(components: readonly ComponentDefinition[], type: string): ComponentDefinition | undefined {
  return components.find((component) => component.type.toUpperCase() === type);
}

function toPattern(text = ""): Pattern {
  return { text, variables: [...new Set(Array.from(text.matchAll(variable), ([, name]) => name ?? ""))] };
}

function toButtonPlan({ type, text = "", url = "" }: ButtonDefinition): ButtonPlan {
  const subType = type.toLowerCase();
  // Graph lists the button of a one-time code as a URL button whose address ends in a variable; it is sent as one, too.
  if (subType === "otp") return { subType: "url", label: text, value: "text" };
  if (subType === "url") return { subType, label: text, value: url.includes("{{") ? "text" : undefined };
  return { subType, label: text, value: subType === "copy_code" ? "coupon_code" : undefined };
}

/** The text with each variable replaced; one without a value stays as it is. */
export function fillPattern({ text }: Pattern, values: ReadonlyMap<string, string>): string {
  return text.replace(variable, (whole, name: string) => values.get(name) ?? whole);
}

/** Why a template in this state cannot be sent: Meta's code, or undefined if it can. */
export function codeOfStatus(status: string): number | undefined {
  switch (status) {
    case "APPROVED":
      return undefined;
    case "PAUSED":
      return 132015;
    case "DISABLED":
      return 132016;
    default:
      return 132001;
  }
}

/** A template's key within its account. Languages are compared as `en_US`, whichever way they were written. */
export function templateKey(name: string, language: string): string {
  return `${name}|${language.replaceAll("-", "_")}`;
}
