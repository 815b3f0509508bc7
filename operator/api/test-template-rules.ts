// The cases of WhatsAppTemplate's rules.
import type { Change, KindCases, RuleCase } from "./test-rules.ts";

const one = { name: "1", example: "Ana" };
const two = { name: "2", example: "4711" };
const firstName = { name: "first_name", example: "Ana" };
const quickReply = { type: "QuickReply", text: "Yes" };
const link = {
  type: "Url",
  text: "Track",
  url: "https://example.com/track/{{1}}",
  example: "https://example.com/track/A1",
};
const plainLink = { type: "Url", text: "Shop", url: "https://example.com" };
const call = { type: "PhoneNumber", text: "Call", phoneNumber: "+15550100001" };
const coupon = { type: "CopyCode", example: "SPRING20" };
const app = { packageName: "com.example.shop", signatureHash: "K8a/AINcGX7" };
const code = { category: "Authentication", body: null };
const oneTap = { type: "OneTap", supportedApps: [app] };

const rule = (text: string, good: Change, bad: Change): RuleCase => ({
  rule: text,
  good: { spec: good },
  bad: { spec: bad },
});
const body = (text: string, ...variables: Change[]): Change => ({
  body: variables.length === 0 ? { text } : { text, variables },
});
const header = (text: string, ...variables: Change[]): Change => ({
  header: variables.length === 0 ? { type: "Text", text } : { type: "Text", text, variables },
});
const buttons = (...items: Change[]): Change => ({ buttons: items });
const codeButton = (button: Change): Change => ({ ...code, authentication: { codeButton: button } });

const ttlRules: RuleCase[] = [
  rule(
    "spec.messageTtlSeconds: must be 30 to 900 for category Authentication, or 2592000, which is 30 days",
    { ...code, authentication: {}, messageTtlSeconds: 900 },
    { ...code, authentication: {}, messageTtlSeconds: 901 },
  ),
  rule(
    "spec.messageTtlSeconds: must be 30 to 43200 for category Utility, or 2592000, which is 30 days",
    { messageTtlSeconds: 2_592_000 },
    { messageTtlSeconds: 43_201 },
  ),
  rule(
    "spec.messageTtlSeconds: must be 43200 to 2592000 for category Marketing",
    { category: "Marketing", messageTtlSeconds: 43_200 },
    { category: "Marketing", messageTtlSeconds: 43_199 },
  ),
];

const partRules: RuleCase[] = [
  rule(
    "spec.authentication: category Authentication needs it; authentication: {} takes the defaults",
    { ...code, authentication: {} },
    code,
  ),
  rule(
    "spec.authentication: is for category Authentication only",
    { ...code, authentication: { codeExpirationMinutes: 5 } },
    { authentication: { codeExpirationMinutes: 5 } },
  ),
  rule(
    "spec.body: every template needs a body, but those of category Authentication",
    { category: "Marketing" },
    { category: "Marketing", body: null },
  ),
  rule(
    "spec.category: WhatsApp itself writes the text of category Authentication, so header, body, footer and buttons are not allowed",
    { ...code, authentication: {} },
    { ...code, authentication: {}, footer: { text: "Acme" } },
  ),
  rule("spec.footer.text: may not have a variable", { footer: { text: "Acme" } }, { footer: { text: "{{1}}" } }),
];

const named = { parameterFormat: "Named" };
const variableRules: RuleCase[] = [
  rule(
    "spec.body.variables: with parameterFormat Positional the names of the variables must be 1, 2, 3 and so on, without a gap",
    body("Hi {{1}}, order {{2}} is ready.", two, one),
    body("Hi {{2}}, you.", two),
  ),
  rule(
    "spec.header.variables: with parameterFormat Positional the name of the header's variable must be 1",
    header("Hi {{1}}", one),
    header("Hi {{first_name}}", firstName),
  ),
  rule(
    "spec.body.variables: with parameterFormat Named the name of a variable must begin with a letter",
    { ...named, ...body("Hi {{first_name}}, you.", firstName) },
    { ...named, ...body("Hi {{1}}, you.", one) },
  ),
  rule(
    "spec.header.variables: with parameterFormat Named the name of a variable must begin with a letter",
    { ...named, ...header("Hi {{first_name}}", firstName) },
    { ...named, ...header("Hi {{1}}", one) },
  ),
  rule(
    "spec.header.variables: each variable of the text, such as {{1}}, needs its name and an example here",
    header("Hi {{1}}", one),
    header("Hi {{1}}"),
  ),
  rule(
    "spec.header.variables: each variable must stand in the text, such as {{1}}",
    header("Hi {{1}}!", one),
    header("Hi!", one),
  ),
  rule(
    "spec.body.variables: each variable of the text, such as {{1}}, needs its name and an example here",
    body("Hi {{1}}, order {{2}} is ready.", one, two),
    body("Hi {{1}}, order {{2}} is ready.", one),
  ),
  rule(
    "spec.body.variables: each variable must stand in the text, such as {{1}}",
    body("Hi {{1}}, again {{1}}.", one),
    body("Hi {{1}}.", one, two),
  ),
];

const wordRules: RuleCase[] = [
  rule("spec.name: must be of small letters, digits and underscores", { name: "a_1" }, { name: "Order-Update" }),
  rule("spec.language: must be a code of WhatsApp's, such as en_US or de", { language: "fil" }, { language: "en-US" }),
  rule(
    "spec.buttons[].phoneNumber: must be a phone number in E.164 form, such as +15550100001",
    buttons(call),
    buttons({ ...call, phoneNumber: "0555 0100" }),
  ),
];

const textRules: RuleCase[] = [
  rule(
    "spec.header.text: each {{ must be followed by the name of a variable and }}",
    header("Hi {1}"),
    header("Hi {{1"),
  ),
  rule(
    "spec.body.text: each {{ must be followed by the name of a variable and }}",
    body("Hi {1}, you"),
    body("Hi {{1}, you"),
  ),
  rule("spec.body.text: may not begin with a variable", body("Hi {{1}}.", one), body(" {{1}}, hi", one)),
  rule("spec.body.text: may not end with a variable", body("Hi {{1}}.", one), body("Hi {{1}}\n", one)),
  rule(
    "spec.body.text: may not have two variables without a word between them",
    body("Hi {{1}}, {{2}}.", one, two),
    body("Hi {{1}} {{2}}.", one, two),
  ),
];

const headerRules: RuleCase[] = [
  rule(
    "spec.header.text: is required with type Text and not allowed with another type",
    { header: { type: "Location" } },
    { header: { type: "Text" } },
  ),
  rule(
    "spec.header.exampleHandle: is required with the types Image, Video and Document and not allowed with another type",
    { header: { type: "Document", exampleHandle: "4::aW1hZ2U=" } },
    { header: { type: "Image" } },
  ),
];

const buttonRules: RuleCase[] = [
  rule(
    "spec.buttons: may have 2 buttons of type Url at most",
    buttons(link, plainLink),
    buttons(link, plainLink, plainLink),
  ),
  rule("spec.buttons: may have 1 button of type PhoneNumber at most", buttons(call, quickReply), buttons(call, call)),
  rule("spec.buttons: may have 1 button of type CopyCode at most", buttons(coupon), buttons(coupon, coupon)),
  rule(
    "spec.buttons: those of type QuickReply must stand together, before or after all others",
    buttons(link, call, quickReply, quickReply),
    buttons(quickReply, link, quickReply),
  ),
  rule(
    "spec.buttons[].text: is required, but not allowed with type CopyCode, whose label WhatsApp writes itself",
    buttons(coupon),
    buttons({ ...coupon, text: "Copy" }),
  ),
  rule(
    "spec.buttons[].url: is required with type Url and not allowed with another type",
    buttons(plainLink),
    buttons({ type: "Url", text: "Shop" }),
  ),
  rule(
    "spec.buttons[].phoneNumber: is required with type PhoneNumber and not allowed with another type",
    buttons(call),
    buttons({ ...quickReply, phoneNumber: "+15550100001" }),
  ),
  rule(
    "spec.buttons[].example: is required with type CopyCode and with a url that has a variable, and not allowed else",
    buttons(link, coupon),
    buttons({ ...plainLink, example: "https://example.com" }),
  ),
  rule(
    "spec.buttons[].example: may have 20 characters at most with type CopyCode",
    buttons({ ...coupon, example: "C".repeat(20) }),
    buttons({ ...coupon, example: "C".repeat(21) }),
  ),
  rule(
    "spec.buttons[].example: must be the whole url with a value in place of its variable",
    buttons({ ...link, example: "https://example.com/track/B2" }),
    buttons({ ...link, example: "B2" }),
  ),
  rule(
    "spec.buttons[].url: must be an http or https URL; a variable may stand at its end only, as {{1}}",
    buttons(link),
    buttons({ ...link, url: "https://example.com/{{1}}/track" }),
  ),
];

const codeButtonRules: RuleCase[] = [
  rule(
    "spec.authentication.codeButton.supportedApps: is required with the types OneTap and ZeroTap and not allowed with CopyCode",
    codeButton(oneTap),
    codeButton({ type: "OneTap" }),
  ),
  rule(
    "spec.authentication.codeButton.autofillText: is not allowed with type CopyCode",
    codeButton({ ...oneTap, autofillText: "Fill in" }),
    codeButton({ autofillText: "Fill in" }),
  ),
  rule(
    "spec.authentication.codeButton.zeroTapTerms: is required with type ZeroTap and not allowed with another type",
    codeButton({ ...oneTap, type: "ZeroTap", zeroTapTerms: "Accepted" }),
    codeButton({ ...oneTap, type: "ZeroTap" }),
  ),
];

const transitions: RuleCase[] = [
  rule(
    "spec.accountRef.name: the account of a template cannot be changed, create another WhatsAppTemplate",
    { accountRef: { name: "acme" }, category: "Marketing" },
    { accountRef: { name: "other" } },
  ),
  rule(
    "spec.name: the name of a template cannot be changed, create another WhatsAppTemplate",
    { name: "order_update", category: "Marketing" },
    { name: "order_news" },
  ),
  rule(
    "spec.language: the language of a template cannot be changed, create another WhatsAppTemplate",
    { language: "en_US", category: "Marketing" },
    { language: "en_GB" },
  ),
];

export const templateCases: KindCases = {
  kind: "WhatsAppTemplate",
  plural: "whatsapptemplates",
  valid: {
    metadata: { name: "order-update" },
    spec: {
      accountRef: { name: "acme" },
      name: "order_update",
      language: "en_US",
      category: "Utility",
      body: { text: "Your order is ready." },
    },
  },
  rules: [
    ...ttlRules,
    ...partRules,
    ...variableRules,
    ...wordRules,
    ...textRules,
    ...headerRules,
    ...buttonRules,
    ...codeButtonRules,
    ...transitions,
  ],
};
