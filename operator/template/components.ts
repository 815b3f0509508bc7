// A template of our resource in Meta's own shape: the array of components that WhatsApp reviews.
import type { WhatsAppTemplate } from "../api/v1alpha1/whatsapp-template.ts";

export type TemplateSpec = WhatsAppTemplate["spec"];
type Format = TemplateSpec["parameterFormat"];
type Header = NonNullable<TemplateSpec["header"]>;
type Button = NonNullable<TemplateSpec["buttons"]>[number];
type Authentication = NonNullable<TemplateSpec["authentication"]>;
type Variables = readonly { name: string; example: string }[];

/** JSON. */
export type Component = Record<string, unknown>;

export function componentsOf(spec: TemplateSpec): Component[] {
  const { authentication, header, body, footer, buttons, parameterFormat } = spec;
  if (authentication !== undefined) return codeComponents(authentication);
  return [
    ...(header === undefined ? [] : [toHeader(header, parameterFormat)]),
    ...(body === undefined ? [] : [toBody(body, parameterFormat)]),
    ...(footer === undefined ? [] : [{ type: "FOOTER", text: footer.text }]),
    ...(buttons === undefined ? [] : [{ type: "BUTTONS", buttons: buttons.map(toButton) }]),
  ];
}

export const headerFormats = {
  Text: "TEXT",
  Image: "IMAGE",
  Video: "VIDEO",
  Document: "DOCUMENT",
  Location: "LOCATION",
} as const satisfies Record<Header["type"], string>;

function toHeader({ type, text, variables, exampleHandle }: Header, parameterFormat: Format): Component {
  const header = { type: "HEADER", format: headerFormats[type] };
  if (exampleHandle !== undefined) return { ...header, example: { header_handle: [exampleHandle] } };
  if (text === undefined) return header;
  if (variables === undefined) return { ...header, text };
  const example =
    parameterFormat === "Named"
      ? { header_text_named_params: namedExamples(variables) }
      : { header_text: variables.map((variable) => variable.example) };
  return { ...header, text, example };
}

function toBody({ text, variables }: NonNullable<TemplateSpec["body"]>, parameterFormat: Format): Component {
  if (variables === undefined) return { type: "BODY", text };
  const example =
    parameterFormat === "Named"
      ? { body_text_named_params: namedExamples(variables) }
      : { body_text: [numberedExamples(variables)] };
  return { type: "BODY", text, example };
}

function namedExamples(variables: Variables): Component[] {
  return variables.map(({ name, example }) => ({ param_name: name, example }));
}

function numberedExamples(variables: Variables): string[] {
  return variables.toSorted((a, b) => Number(a.name) - Number(b.name)).map(({ example }) => example);
}

export const buttonTypes = {
  QuickReply: "QUICK_REPLY",
  Url: "URL",
  PhoneNumber: "PHONE_NUMBER",
  CopyCode: "COPY_CODE",
} as const satisfies Record<Button["type"], string>;

function toButton({ type, text, url, phoneNumber, example }: Button): Component {
  return {
    type: buttonTypes[type],
    ...(text !== undefined && { text }),
    ...(url !== undefined && { url }),
    ...(phoneNumber !== undefined && { phone_number: phoneNumber }),
    // Meta wants a text for a code and a list for a url.
    ...(example !== undefined && { example: type === "Url" ? [example] : example }),
  };
}

export const codeButtonTypes = {
  CopyCode: "COPY_CODE",
  OneTap: "ONE_TAP",
  ZeroTap: "ZERO_TAP",
} as const satisfies Record<Authentication["codeButton"]["type"], string>;

/** WhatsApp writes the text of a one-time code itself. */
function codeComponents({ securityRecommendation, codeExpirationMinutes, codeButton }: Authentication): Component[] {
  const { type, text, autofillText, supportedApps, zeroTapTerms } = codeButton;
  const apps = supportedApps?.map(({ packageName, signatureHash }) => ({
    package_name: packageName,
    signature_hash: signatureHash,
  }));
  const button = {
    type: "OTP",
    otp_type: codeButtonTypes[type],
    ...(text !== undefined && { text }),
    ...(autofillText !== undefined && { autofill_text: autofillText }),
    ...(apps !== undefined && { supported_apps: apps }),
    ...(zeroTapTerms === "Accepted" && { zero_tap_terms_accepted: true }),
  };
  return [
    { type: "BODY", add_security_recommendation: securityRecommendation === "Show" },
    ...(codeExpirationMinutes === undefined
      ? []
      : [{ type: "FOOTER", code_expiration_minutes: codeExpirationMinutes }]),
    { type: "BUTTONS", buttons: [button] },
  ];
}
