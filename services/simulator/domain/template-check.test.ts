import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOfStatus, type ComponentDefinition, planTemplate, templateKey } from "./template.ts";
import { checkTemplate, type SentComponent, type SentParameter } from "./template-check.ts";

const body = (text: string): ComponentDefinition => ({ type: "BODY", text });
const plan = (components: ComponentDefinition[], parameterFormat = "POSITIONAL", category = "UTILITY") =>
  planTemplate({ category, parameterFormat, components });

const greeting = plan([body("Hello World")]);
const order = plan([
  { type: "HEADER", format: "TEXT", text: "Order {{1}}" },
  body("Hi {{1}}, order {{2}} is ready. Yours, {{1}}'s shop"),
  { type: "FOOTER", text: "Fjord Coffee" },
]);
const named = plan([body("Hi {{first_name}}, see you at {{place}}")], "NAMED");
const photo = plan([{ type: "HEADER", format: "IMAGE" }, body("Look")]);
const buttons = plan([
  body("Track it"),
  {
    type: "BUTTONS",
    buttons: [
      { type: "QUICK_REPLY", text: "Thanks" },
      { type: "URL", text: "Track", url: "https://example.com/{{1}}" },
      { type: "COPY_CODE", text: "Copy" },
    ],
  },
]);
const code = plan(
  [body("*{{1}}* is your code"), { type: "BUTTONS", buttons: [{ type: "OTP", text: "Copy code" }] }],
  "POSITIONAL",
  "AUTHENTICATION",
);

const text = (value: unknown, parameterName = ""): SentParameter => ({ type: "text", parameterName, value });
const part = (type: string, ...parameters: SentParameter[]): SentComponent => ({
  type,
  subType: "",
  index: undefined,
  parameters,
});
const button = (subType: string, index: number, ...parameters: SentParameter[]): SentComponent => ({
  type: "button",
  subType,
  index,
  parameters,
});
const coupon = (value: string): SentParameter => ({ type: "coupon_code", parameterName: "", value });
const fallback = (type: string, value: string): SentParameter => ({
  type,
  parameterName: "",
  value: { fallback_value: value },
});
const track = [button("url", 1, text("AB12")), button("copy_code", 2, coupon("SPRING"))];

type Template = ReturnType<typeof planTemplate>;
const fitting: [sentence: string, template: Template, sent: SentComponent[], text: string][] = [
  ["a template without variables needs nothing", greeting, [], "Hello World"],
  [
    "positional values go by their place, and may be used twice",
    order,
    [part("header", text("77")), part("body", text("Ana"), text("77"))],
    "Order 77\nHi Ana, order 77 is ready. Yours, Ana's shop\nFjord Coffee",
  ],
  [
    "named values go by their name, in any order",
    named,
    [part("body", text("the pier", "place"), text("Ana", "first_name"))],
    "Hi Ana, see you at the pier",
  ],
  [
    "currency and time show what the business wrote for them",
    order,
    [part("header", text("77")), part("body", fallback("currency", "$10"), fallback("date_time", "noon"))],
    "Order 77\nHi $10, order noon is ready. Yours, $10's shop\nFjord Coffee",
  ],
  [
    "a media header takes one parameter of its kind",
    photo,
    [part("header", { type: "image", parameterName: "", value: { link: "https://example.com/a.jpg" } })],
    "[image]\nLook",
  ],
  ["a quick reply may go without a payload", buttons, track, "Track it\n[Thanks] [Track] [Copy]"],
  [
    "a one-time code goes twice",
    code,
    [part("body", text("123456")), button("url", 0, text("123456"))],
    "*123456* is your code\n[Copy code]",
  ],
];
for (const [sentence, template, sent, expected] of fitting) {
  test(sentence, () => assert.deepEqual(checkTemplate(template, sent, 24), { fits: true, text: expected }));
}

type Failing = [sentence: string, template: Template, sent: SentComponent[], code: number, before23: number];
const failing: Failing[] = [
  ["missing values are counted", order, [part("header", text("77"))], 132000, 132000],
  ["surplus values are counted", greeting, [part("body", text("Ana"))], 132000, 132000],
  ["a value for a header without variables is surplus", named, [part("header", text("Ana"))], 132000, 132000],
  ["an unknown name", named, [part("body", text("a", "first_name"), text("b", "town"))], 132018, 132012],
  ["a missing name", named, [part("body", text("a"), text("b"))], 132018, 132012],
  ["the same name twice", named, [part("body", text("a", "place"), text("b", "place"))], 132018, 132012],
  ["a media header without media", photo, [], 132018, 132012],
  ["a media header with text", photo, [part("header", text("a"))], 132018, 132012],
  ["a value that is no text", order, [part("header", { ...text("x"), type: "image" })], 132018, 132012],
  ["a value with a new line", order, [part("header", text("a\nb"))], 132018, 100],
  ["a value with five spaces", order, [part("header", text("a     b"))], 132018, 100],
  ["an empty value", order, [part("header", text(""))], 132018, 100],
  ["a component that the template lacks", greeting, [part("carousel")], 132018, 132012],
  ["a button that the template lacks", greeting, [button("url", 0, text("a"))], 132018, 132018],
  ["a button of another kind", buttons, [button("url", 0, text("a")), ...track], 132018, 132018],
  ["a URL button without its value", buttons, [button("copy_code", 2, coupon("A"))], 132018, 132012],
  ["a URL button with two values", buttons, [button("url", 1, text("a"), text("b"))], 132000, 132000],
  ["a coupon over 20 characters", buttons, [button("copy_code", 2, coupon("A".repeat(21)))], 132018, 132018],
  [
    "a one-time code over 15 characters",
    code,
    [part("body", text("1234567890123456")), button("url", 0, text("1234567890123456"))],
    132018,
    100,
  ],
];
for (const [sentence, template, sent, since23, before23] of failing) {
  test(`refused: ${sentence}`, () => {
    for (const [version, expected] of [
      [24, since23],
      [22, before23],
    ] as const) {
      const result = checkTemplate(template, sent, version);
      assert.equal(result.fits, false);
      assert.equal(result.fits ? 0 : result.code, expected);
    }
  });
}

const states: [status: string, code: number | undefined][] = [
  ["APPROVED", undefined],
  ["PAUSED", 132015],
  ["DISABLED", 132016],
  ["PENDING", 132001],
  ["REJECTED", 132001],
  ["ARCHIVED", 132001],
];
for (const [status, expected] of states) {
  test(`a template that is ${status} answers ${expected ?? "nothing"}`, () => {
    assert.equal(codeOfStatus(status), expected);
  });
}

test("languages are compared whichever way they were written", () => {
  assert.equal(templateKey("hello", "en-US"), templateKey("hello", "en_US"));
});
