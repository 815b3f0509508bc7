// How a template differs from what someone declares it to be. Only what users see counts: examples are for the review, and what
// Meta adds by itself (the text of a one-time code, ids) is not declared.
import { isRecord } from "./components.ts";

export type Difference = {
  /** category, parameter_format, message_send_ttl_seconds, or a place such as BODY.text or BUTTONS.buttons[1].url. */
  field: string;
  /** JSON texts, cut; empty: absent. */
  declared: string;
  observed: string;
};

/** `components` is parsed JSON. Empty or undefined: not compared. */
export type Declaration = {
  category: string;
  parameterFormat: string;
  components: unknown;
  messageSendTtlSeconds: number | undefined;
};

export function differences(declared: Declaration, observed: Declaration): Difference[] {
  return [
    ...compareWord("category", declared.category, observed.category),
    ...compareWord("parameter_format", declared.parameterFormat, observed.parameterFormat),
    ...compareTtl(declared.messageSendTtlSeconds, observed.messageSendTtlSeconds),
    ...(Array.isArray(declared.components) ? compareComponents("", declared.components, observed.components) : []),
  ];
}

function compareWord(field: string, declared: string, observed: string): Difference[] {
  if (declared === "" || declared.toUpperCase() === observed.toUpperCase()) return [];
  return [toDifference(field, declared, observed)];
}

/** Of all categories but MARKETING WhatsApp writes -1 for 30 days. */
const monthSeconds = 2_592_000;

function compareTtl(declared: number | undefined, observed: number | undefined): Difference[] {
  const inSeconds = (ttl: number | undefined): number | undefined => (ttl === -1 ? monthSeconds : ttl);
  if (declared === undefined || inSeconds(declared) === inSeconds(observed)) return [];
  return [toDifference("message_send_ttl_seconds", declared, observed)];
}

/** In any order: a template has one component of a type. */
function compareComponents(prefix: string, declared: readonly unknown[], observed: unknown): Difference[] {
  const wanted = byType(declared);
  const present = byType(Array.isArray(observed) ? observed : []);
  const missing = [...wanted].flatMap(([type, component]) => {
    const found = present.get(type);
    const field = `${prefix}${type}`;
    return found === undefined ? [toDifference(field, component, undefined)] : compareValue(field, component, found);
  });
  const added = [...present].filter(([type]) => !wanted.has(type));
  return [...missing, ...added.map(([type, component]) => toDifference(`${prefix}${type}`, undefined, component))];
}

function byType(components: readonly unknown[]): Map<string, Record<string, unknown>> {
  return new Map(components.filter(isRecord).map((component) => [typeOf(component), component]));
}

function typeOf({ type }: Record<string, unknown>): string {
  return typeof type === "string" ? type.toUpperCase() : "";
}

const words = new Set(["type", "format", "otp_type"]);
const unseen = new Set(["example", "id"]);
// Told when it is handed in, and not always shown afterwards.
const settings = new Set([
  "add_security_recommendation",
  "code_expiration_minutes",
  "otp_type",
  "autofill_text",
  "supported_apps",
  "package_name",
  "signature_hash",
  "zero_tap_terms_accepted",
]);

/** What is declared, against what is there; what is there besides does not count. */
function compareValue(field: string, declared: unknown, observed: unknown): Difference[] {
  if (isOneTimeCode(declared, observed)) return [];
  if (Array.isArray(declared) && Array.isArray(observed)) return compareLists(field, declared, observed);
  if (isRecord(declared) && isRecord(observed)) {
    return Object.entries(declared).flatMap(([key, value]) => {
      if (unseen.has(key) || (settings.has(key) && observed[key] === undefined)) return [];
      return compareValue(`${field}.${key}`, value, observed[key]);
    });
  }
  const key = field.slice(field.lastIndexOf(".") + 1);
  return isSame(key, declared, observed) ? [] : [toDifference(field, declared, observed)];
}

function compareLists(field: string, declared: readonly unknown[], observed: readonly unknown[]): Difference[] {
  if (field.endsWith(".components")) return compareComponents(`${field}.`, declared, observed);
  if (declared.length !== observed.length) return [toDifference(field, declared, observed)];
  return declared.flatMap((value, at) => compareValue(`${field}[${at}]`, value, observed[at]));
}

/** Meta shows the button of a one-time code as a link of its own. */
function isOneTimeCode(declared: unknown, observed: unknown): boolean {
  if (!isRecord(declared) || !isRecord(observed) || typeOf(declared) !== "OTP") return false;
  return typeOf(observed) === "URL" && typeof observed["url"] === "string" && observed["url"].includes("/otp/");
}

function isSame(key: string, declared: unknown, observed: unknown): boolean {
  if (typeof declared !== "string" || typeof observed !== "string") return declared === observed;
  return normal(key, declared) === normal(key, observed);
}

function normal(key: string, text: string): string {
  if (words.has(key)) return text.toUpperCase();
  if (key === "phone_number") return text.replaceAll(/\D/g, "");
  const trimmed = text.replaceAll("\r\n", "\n").trim();
  return key === "url" ? trimmed.replace(/\/$/, "") : trimmed;
}

const longest = 256;

function toDifference(field: string, declared: unknown, observed: unknown): Difference {
  return { field, declared: toText(declared), observed: toText(observed) };
}

function toText(value: unknown): string {
  const text = value === undefined ? "" : JSON.stringify(value);
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}
