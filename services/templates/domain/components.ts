// Meta's JSON array of a template's components, read into the parts that a message must fill.
// Tolerant: what is not understood asks for nothing, because WhatsApp judges the message again.

export type ParameterFormat = "positional" | "named";

/** A text with its variables: each once, numbered ones in the order of their numbers, named ones in that of the text. */
export type Text = { text: string; variables: readonly string[] };

export type Header =
  | { kind: "text"; text: Text }
  | { kind: "media"; media: "image" | "video" | "document" | "gif" }
  | { kind: "location" }
  | { kind: "product" };

export type Button =
  /** `otp` shows a one-time code and is filled like a link. */
  | { kind: "url"; label: string; url: Text; otp: boolean }
  | { kind: "copy_code"; label: string }
  | { kind: "quick_reply"; label: string }
  /** flow, catalog, mpm, phone_number, voice_call, …: nothing of them must be filled. */
  | { kind: "other"; label: string; type: string };

/** What a template has, and so does each card of a carousel. */
export type Parts = {
  header: Header | undefined;
  body: Text | undefined;
  footer: string | undefined;
  buttons: readonly Button[];
};

export type TemplateShape = Parts & {
  format: ParameterFormat;
  cards: readonly Parts[] | undefined;
  /** A limited-time offer whose end each message must name. */
  hasExpiration: boolean;
};

/** `parameterFormat` is Meta's word: NAMED or POSITIONAL; `components` is the parsed JSON. */
export function readShape(parameterFormat: string, components: unknown): TemplateShape {
  const format = parameterFormat.toUpperCase() === "NAMED" ? "named" : "positional";
  const list = records(components);
  const carousel = list.find((component) => typeOf(component) === "CAROUSEL");
  const offer = list.find((component) => typeOf(component) === "LIMITED_TIME_OFFER");
  return {
    ...readParts(list, format),
    format,
    cards:
      carousel === undefined
        ? undefined
        : records(carousel.cards).map((card) => readParts(records(card.components), format)),
    hasExpiration:
      offer !== undefined && isRecord(offer.limited_time_offer) && offer.limited_time_offer.has_expiration === true,
  };
}

type Json = Record<string, unknown>;

function readParts(components: readonly Json[], format: ParameterFormat): Parts {
  const find = (type: string): Json | undefined => components.find((component) => typeOf(component) === type);
  const header = find("HEADER");
  const body = find("BODY");
  const footer = find("FOOTER");
  return {
    header: header === undefined ? undefined : readHeader(header, format),
    body: body === undefined ? undefined : readBody(body, format),
    footer: footer === undefined ? undefined : readFooter(footer),
    buttons: records(find("BUTTONS")?.buttons).map((button) => readButton(button, format)),
  };
}

function readHeader(header: Json, format: ParameterFormat): Header | undefined {
  switch (textOf(header.format).toUpperCase()) {
    case "TEXT":
      return { kind: "text", text: readText(textOf(header.text), format) };
    case "IMAGE":
      return { kind: "media", media: "image" };
    case "VIDEO":
      return { kind: "media", media: "video" };
    case "DOCUMENT":
      return { kind: "media", media: "document" };
    case "GIF":
      return { kind: "media", media: "gif" };
    case "LOCATION":
      return { kind: "location" };
    case "PRODUCT":
      return { kind: "product" };
    default:
      return undefined;
  }
}

// Meta writes the body of an authentication template itself; where it does not show it, the code is its one variable.
const codeBody: Text = { text: "*{{1}}* is your verification code.", variables: ["1"] };

function readBody(body: Json, format: ParameterFormat): Text {
  return typeof body.text === "string" ? readText(body.text, format) : codeBody;
}

function readFooter(footer: Json): string {
  if (typeof footer.text === "string") return footer.text;
  const minutes = footer.code_expiration_minutes;
  return typeof minutes === "number" ? `This code expires in ${minutes} minutes.` : "";
}

const otpPath = "whatsapp.com/otp/";

function readButton(button: Json, format: ParameterFormat): Button {
  const type = typeOf(button);
  const label = textOf(button.text);
  switch (type) {
    case "URL": {
      const url = readText(textOf(button.url), format);
      return { kind: "url", label, url, otp: url.text.includes(otpPath) };
    }
    case "OTP":
      return { kind: "url", label, url: { text: "{{1}}", variables: ["1"] }, otp: true };
    case "COPY_CODE":
      return { kind: "copy_code", label };
    case "QUICK_REPLY":
      return { kind: "quick_reply", label };
    default:
      return { kind: "other", label, type: type.toLowerCase() };
  }
}

/** Where a variable stands in a text. */
export const variablePattern = /\{\{\s*([A-Za-z0-9_]+)\s*\}\}/g;

function readText(text: string, format: ParameterFormat): Text {
  const found = [...text.matchAll(variablePattern)].map(([, name]) => name ?? "");
  const variables = [...new Set(found)];
  if (format === "named") return { text, variables };
  const numbers = variables.filter((name) => /^\d+$/.test(name));
  return { text, variables: numbers.sort((a, b) => Number(a) - Number(b)) };
}

function typeOf(component: Json): string {
  return textOf(component.type).toUpperCase();
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function records(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

export function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
