// A template that WhatsApp has, as the resource that declares it. The other direction of components.ts; what our resource cannot say
// is left to WhatsApp.
import { z } from "zod";
import type { Template } from "#proto/heliograph/templates/v1/templates_pb.ts";
import { toWord } from "../number/words.ts";
import { monthAtWhatsApp, monthSeconds } from "../registration.ts";
import { buttonTypes, codeButtonTypes, headerFormats } from "./components.ts";

/** Fields of a spec, or why there are none. */
export type AdoptedSpec = { spec: Record<string, unknown> } | { why: string };

const button = z.looseObject({
  type: z.string().toUpperCase(),
  text: z.string().optional(),
  url: z.string().optional(),
  phone_number: z.string().optional(),
  example: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .catch(undefined),
});
const named = z.array(z.object({ param_name: z.string(), example: z.string() })).catch([]);
const texts = z.array(z.string()).catch([]);
const example = z
  .object({
    header_text: texts,
    header_text_named_params: named,
    header_handle: texts,
    body_text: z.array(z.union([z.string(), z.array(z.string())])).catch([]),
    body_text_named_params: named,
  })
  .partial()
  .catch({});
const components = z.array(
  z.looseObject({
    type: z.string().toUpperCase(),
    format: z.string().toUpperCase().default("TEXT"),
    text: z.string().default(""),
    buttons: z.array(button).default([]),
    example: example.default({}),
    add_security_recommendation: z.boolean().optional(),
    code_expiration_minutes: z.number().optional(),
  }),
);

type Component = z.output<typeof components>[number];
type Button = z.output<typeof button>;

const known = new Set(["HEADER", "BODY", "FOOTER", "BUTTONS"]);

/** `accountName` is that of the resource. Defaults are left out. */
export function adoptTemplate(template: Template, accountName: string): AdoptedSpec {
  const read = components.safeParse(JSON.parse(Buffer.from(template.componentsJson).toString("utf8")));
  if (read.data === undefined) return { why: "its components are of a shape that is not known here" };
  const strange = read.data.find(({ type }) => !known.has(type));
  if (strange !== undefined) return { why: `a WhatsAppTemplate has no component ${strange.type}` };
  const category = toWord(template.category);
  const isCode = category === "Authentication";
  const parts = isCode ? codeParts(read.data) : textParts(read.data);
  if ("why" in parts) return parts;
  return {
    spec: {
      accountRef: { name: accountName },
      name: template.name,
      language: template.language,
      category,
      ...(template.parameterFormat === "NAMED" && { parameterFormat: "Named" }),
      ...ttlOf(template),
      ...parts.spec,
    },
  };
}

/** WhatsApp's own default is left out. */
function ttlOf({ messageSendTtlSeconds: ttl = 0 }: Template): { messageTtlSeconds?: number } {
  if (ttl === monthAtWhatsApp) return { messageTtlSeconds: monthSeconds };
  return ttl > 0 ? { messageTtlSeconds: ttl } : {};
}

function part(given: readonly Component[], type: string): Component | undefined {
  return given.find((component) => component.type === type);
}

function textParts(given: readonly Component[]): AdoptedSpec {
  const [header, body, footer] = [part(given, "HEADER"), part(given, "BODY"), part(given, "FOOTER")];
  const adopted = part(given, "BUTTONS")?.buttons.map(toButton) ?? [];
  const strange = adopted.find((one) => "why" in one);
  if (strange !== undefined && "why" in strange) return strange;
  const head = header === undefined ? { spec: {} } : toHeader(header);
  if ("why" in head) return head;
  return {
    spec: {
      ...head.spec,
      ...(body !== undefined && { body: toText(body, [...bodyExamples(body)]) }),
      ...(footer !== undefined && { footer: { text: footer.text } }),
      ...(adopted.length > 0 && { buttons: adopted.map((one) => ("spec" in one ? one.spec : {})) }),
    },
  };
}

const headerTypes = invert(headerFormats);

function toHeader(header: Component): AdoptedSpec {
  const type = headerTypes.get(header.format);
  if (type === undefined) return { why: `a WhatsAppTemplate has no header ${header.format}` };
  if (type === "Location") return { spec: { header: { type } } };
  if (type !== "Text")
    return { spec: { header: { type, exampleHandle: header.example.header_handle?.[0] ?? unknown } } };
  const { header_text: numbered = [], header_text_named_params: params = [] } = header.example;
  return { spec: { header: { type, ...toText(header, [...numberedPairs(numbered), ...namedPairs(params)]) } } };
}

type Pair = readonly [name: string, example: string];

function bodyExamples({ example: given }: Component): Pair[] {
  const { body_text: numbered = [], body_text_named_params: params = [] } = given;
  return [...numberedPairs(numbered.flat()), ...namedPairs(params)];
}

function numberedPairs(values: readonly string[]): Pair[] {
  return values.map((value, at) => [String(at + 1), value]);
}

function namedPairs(params: z.output<typeof named>): Pair[] {
  return params.map((param) => [param.param_name, param.example]);
}

/** WhatsApp knew no examples once; they are for its reviewers only, and not compared. */
const unknown = "example";

function toText({ text }: Component, examples: readonly Pair[]) {
  const known = new Map(examples);
  const names = new Set(Array.from(text.matchAll(/\{\{([^{}]*)\}\}/g), ([, name = ""]) => name));
  const variables = Array.from(names, (name) => ({ name, example: known.get(name) ?? unknown }));
  return { text, ...(variables.length > 0 && { variables }) };
}

const buttonKinds = invert(buttonTypes);

function toButton({ type, text, url, phone_number: phoneNumber, example: given }: Button): AdoptedSpec {
  const [shown = unknown] = typeof given === "string" ? [given] : (given ?? []);
  const kind = buttonKinds.get(type);
  switch (kind) {
    case undefined:
      return { why: `a WhatsAppTemplate has no button ${type}` };
    case "Url":
      return {
        spec: { type: kind, text, url, ...(url?.includes("{{") === true && { example: wholeUrl(url, shown) }) },
      };
    case "PhoneNumber":
      return { spec: { type: kind, text, phoneNumber: `+${(phoneNumber ?? "").replaceAll(/\D/g, "")}` } };
    case "CopyCode":
      return { spec: { type: kind, example: shown } };
    case "QuickReply":
      return { spec: { type: kind, text } };
  }
}

/** WhatsApp takes the value alone too. */
function wholeUrl(url: string, shown: string): string {
  const base = url.slice(0, url.indexOf("{{"));
  return shown.startsWith(base) ? shown : `${base}${shown}`;
}

const codeButtonKinds = invert(codeButtonTypes);

/** WhatsApp shows the button of a code as a link of its own, whose query says what was declared. */
function codeParts(given: readonly Component[]): AdoptedSpec {
  const [body, footer] = [part(given, "BODY"), part(given, "FOOTER")];
  const [shown] = part(given, "BUTTONS")?.buttons ?? [];
  const query = URL.parse(shown?.url ?? "")?.searchParams ?? new URLSearchParams();
  const declared = codeButtonKinds.get(
    query.get("otp_type") ?? (typeof shown?.["otp_type"] === "string" ? shown["otp_type"] : ""),
  );
  if (declared === undefined) return { why: "how its button hands over the code is not known here" };
  const app = { packageName: query.get("package_name") ?? "", signatureHash: query.get("signature_hash") ?? "" };
  if (declared !== "CopyCode" && app.packageName === "")
    return { why: "WhatsApp does not tell the apps of its button" };
  const minutes = footer?.code_expiration_minutes ?? /\d+/.exec(footer?.text ?? "")?.[0];
  return {
    spec: {
      authentication: {
        ...(body?.add_security_recommendation === false && { securityRecommendation: "Hide" }),
        ...(minutes !== undefined && { codeExpirationMinutes: Number(minutes) }),
        codeButton: {
          type: declared,
          ...(declared !== "CopyCode" && { supportedApps: [app] }),
          ...(declared === "ZeroTap" && { zeroTapTerms: "Accepted" }),
        },
      },
    },
  };
}

function invert<Name extends string>(words: Record<Name, string>): ReadonlyMap<string, Name>;
function invert(words: Record<string, string>): ReadonlyMap<string, string> {
  return new Map(Object.entries(words).map(([name, word]) => [word, name]));
}
