import assert from "node:assert/strict";
import { test } from "node:test";
import { differences } from "./difference.ts";

const body = { type: "BODY", text: "Hi {{1}}, ready." };
const link = { type: "URL", text: "Open", url: "https://a.example/{{1}}" };
const cards = (...texts: string[]) => [
  { type: "CAROUSEL", cards: texts.map((text) => ({ components: [{ type: "BODY", text }] })) },
];

const cases: [sentence: string, declared: unknown, observed: unknown, fields: string[]][] = [
  ["the same", [body], [body], []],
  ["in another order", [body, { type: "FOOTER", text: "Bye" }], [{ type: "FOOTER", text: "Bye" }, body], []],
  ["examples do not count", [{ ...body, example: { body_text: [["Ana"]] } }], [body], []],
  [
    "nor do case of types, ends of lines and blanks around",
    [{ type: "body", text: "a\r\nb " }],
    [{ type: "BODY", text: "a\nb" }],
    [],
  ],
  ["another text", [body], [{ type: "BODY", text: "Hello" }], ["BODY.text"]],
  ["a component more", [body], [body, { type: "FOOTER", text: "Bye" }], ["FOOTER"]],
  ["a component less", [body, { type: "FOOTER", text: "Bye" }], [body], ["FOOTER"]],
  [
    "another button",
    [body, { type: "BUTTONS", buttons: [link] }],
    [body, { type: "BUTTONS", buttons: [{ ...link, url: "https://b.example" }] }],
    ["BUTTONS.buttons[0].url"],
  ],
  [
    "a button more",
    [body, { type: "BUTTONS", buttons: [link] }],
    [body, { type: "BUTTONS", buttons: [link, link] }],
    ["BUTTONS.buttons"],
  ],
  [
    "a slash at the end of a link",
    [{ type: "BUTTONS", buttons: [{ type: "URL", url: "https://a.example" }] }],
    [{ type: "BUTTONS", buttons: [{ type: "URL", url: "https://a.example/" }] }],
    [],
  ],
  [
    "a phone number written otherwise",
    [{ type: "BUTTONS", buttons: [{ phone_number: "+1 555 010 0001" }] }],
    [{ type: "BUTTONS", buttons: [{ phone_number: "+15550100001" }] }],
    [],
  ],
  [
    "a one-time code",
    [
      { type: "BODY", add_security_recommendation: true },
      { type: "BUTTONS", buttons: [{ type: "OTP", otp_type: "COPY_CODE" }] },
    ],
    [
      { type: "BODY", text: "*{{1}}* is your code." },
      { type: "BUTTONS", buttons: [{ type: "URL", text: "Copy", url: "https://www.whatsapp.com/otp/code/?x" }] },
    ],
    [],
  ],
  ["a carousel", cards("a", "b"), cards("a", "b"), []],
  ["another card", cards("a", "b"), cards("a", "c"), ["CAROUSEL.cards[1].components.BODY.text"]],
  ["observed that is no list", [body], "nonsense", ["BODY"]],
  ["nothing is declared", undefined, [body], []],
];

const words = { category: "UTILITY", parameterFormat: "POSITIONAL", messageSendTtlSeconds: undefined };
for (const [sentence, declared, observed, fields] of cases) {
  test(sentence, () => {
    const found = differences({ ...words, components: declared }, { ...words, components: observed });
    assert.deepEqual(
      found.map(({ field }) => field),
      fields,
    );
  });
}

test("category and parameter format count where they are declared, and both sides are told", () => {
  const observed = { category: "MARKETING", parameterFormat: "NAMED", components: [], messageSendTtlSeconds: 60 };
  assert.deepEqual(differences({ ...words, components: undefined }, observed), [
    { field: "category", declared: '"UTILITY"', observed: '"MARKETING"' },
    { field: "parameter_format", declared: '"POSITIONAL"', observed: '"NAMED"' },
  ]);
  assert.deepEqual(differences({ ...words, category: "", parameterFormat: "", components: undefined }, observed), []);
});

const ttls: [sentence: string, declared: number | undefined, observed: number | undefined, told: string][] = [
  ["the same", 600, 600, ""],
  ["another", 600, 900, "600 900"],
  ["none at WhatsApp", 600, undefined, "600 "],
  ["none declared", undefined, 900, ""],
  ["30 days, which WhatsApp writes in two ways", 2_592_000, -1, ""],
  ["30 days and less", -1, 43_200, "-1 43200"],
];
for (const [sentence, declared, observed, told] of ttls) {
  test(`the time to live: ${sentence}`, () => {
    const withTtl = (messageSendTtlSeconds: number | undefined) => ({
      ...words,
      components: undefined,
      messageSendTtlSeconds,
    });
    const found = differences(withTtl(declared), withTtl(observed));
    assert.equal(found.map((one) => `${one.declared} ${one.observed}`).join(), told);
  });
}

test("long texts are cut", () => {
  const [found] = differences(
    { ...words, components: [{ type: "BODY", text: "a".repeat(1_000) }] },
    { ...words, components: [body] },
  );
  assert.equal(found?.declared.length, 256);
});
