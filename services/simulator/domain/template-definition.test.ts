import assert from "node:assert/strict";
import { test } from "node:test";
import { checkDefinition, checkTtl, type Component } from "./template-definition.ts";

const plain: Component = { type: "BODY", text: "Your parcel is on its way to you." };
const body = (text: string, example?: object): Component => ({
  type: "BODY",
  text,
  ...(example !== undefined && { example }),
});
const buttons = (...given: { type: string; text?: string; url?: string }[]): Component => ({
  type: "BUTTONS",
  buttons: given,
});
const one = { body_text: [["Ana"]] };
const two = { body_text: [["Ana", "4711"]] };

const cases: [sentence: string, components: Component[], fault: number | "100" | undefined][] = [
  ["a plain text is taken", [plain], undefined],
  [
    "a header with a variable and its example",
    [{ type: "HEADER", format: "TEXT", text: "Hi {{1}}", example: { header_text: ["Ana"] } }, plain],
    undefined,
  ],
  ["media need a handle", [{ type: "HEADER", format: "IMAGE" }, plain], "100"],
  [
    "with a handle they are taken",
    [{ type: "HEADER", format: "IMAGE", example: { header_handle: ["4::x"] } }, plain],
    undefined,
  ],
  ["a body must be there", [{ type: "FOOTER", text: "Bye" }], 2388072],
  ["and have a text", [{ type: "BODY" }], 2388072],
  ["of at most 1024 characters", [body("a".repeat(1_025))], 2388040],
  ["which count as people count them", [body("😀".repeat(1_024))], undefined],
  ["variables may stand inside", [body("Hi {{1}}, your order {{2}} is ready to be collected.", two)], undefined],
  ["not at the start", [body("{{1}} is your new order number.", one)], 2388299],
  ["not at the end", [body("Your new order number is {{1}}", one)], 2388299],
  ["not next to each other", [body("Hi {{1}} {{2}}, your order is ready now.", two)], 2388072],
  ["not with a gap", [body("Hi {{1}}, your order {{3}} is ready to be collected.", two)], 2388072],
  ["not without an example", [body("Hi {{1}}, your order is ready.")], "100"],
  ["not too many for the text", [body("Hi {{1}}, {{2}} is it.", two)], 2388293],
  ["a header has one variable at most", [{ type: "HEADER", format: "TEXT", text: "{{1}} and {{2}}" }, plain], 2388047],
  ["and a known format", [{ type: "HEADER", format: "HOLOGRAM" }, plain], 2388047],
  ["and at most 60 characters", [{ type: "HEADER", format: "TEXT", text: "a".repeat(61) }, plain], 2388040],
  ["a footer takes no variables", [plain, { type: "FOOTER", text: "Bye {{1}}" }], 2388073],
  ["an unknown component", [plain, { type: "JINGLE" }], "100"],
  ["a component that comes twice", [plain, plain], "100"],
  [
    "two links",
    [
      plain,
      buttons(
        { type: "URL", text: "a", url: "https://a.example" },
        { type: "URL", text: "b", url: "https://b.example/{{1}}" },
      ),
    ],
    undefined,
  ],
  ["three links", [plain, buttons({ type: "URL" }, { type: "URL" }, { type: "URL" })], "100"],
  ["quick replies apart", [plain, buttons({ type: "QUICK_REPLY" }, { type: "URL" }, { type: "QUICK_REPLY" })], "100"],
  ["a label that is too long", [plain, buttons({ type: "QUICK_REPLY", text: "a".repeat(26) })], 2388040],
  [
    "eleven buttons",
    [plain, buttons(...Array.from({ length: 11 }, () => ({ type: "QUICK_REPLY", text: "a" })))],
    "100",
  ],
  [
    "a variable in the middle of a link",
    [plain, buttons({ type: "URL", text: "a", url: "https://a.example/{{1}}/b" })],
    "100",
  ],
];

function faultOf(category: string, parameterFormat: string, components: Component[]): number | "100" | undefined {
  const fault = checkDefinition({ category, parameterFormat, components });
  if (fault === undefined) return undefined;
  assert.equal(fault.code, 100);
  assert.ok(fault.userTitle && fault.userMessage);
  return fault.subcode ?? "100";
}

for (const [sentence, components, expected] of cases) {
  test(sentence, () => assert.equal(faultOf("UTILITY", "POSITIONAL", components), expected));
}

test("named variables need names, and named examples", () => {
  const example = { body_text_named_params: [{ param_name: "name", example: "Ana" }] };
  assert.equal(faultOf("UTILITY", "NAMED", [body("Hi {{name}}, your order is ready.", example)]), undefined);
  assert.equal(faultOf("UTILITY", "NAMED", [body("Hi {{Name}}, your order is ready.", example)]), 2388072);
  assert.equal(faultOf("UTILITY", "NAMED", [body("Hi {{name}}, your order is ready.", one)]), "100");
});

test("a one-time code has no text of its own and one button", () => {
  const otp = buttons({ type: "OTP", text: "Copy" });
  assert.equal(faultOf("AUTHENTICATION", "POSITIONAL", [{ type: "BODY" }, otp]), undefined);
  assert.equal(faultOf("AUTHENTICATION", "POSITIONAL", [plain, otp]), 2388072);
  assert.equal(faultOf("AUTHENTICATION", "POSITIONAL", [{ type: "BODY" }]), "100");
});

const ttls: [category: string, taken: number[], refused: number[]][] = [
  ["AUTHENTICATION", [30, 900, -1], [29, 901, 2_592_000]],
  ["UTILITY", [30, 43_200, -1], [0, 43_201]],
  ["MARKETING", [43_200, 2_592_000], [43_199, 2_592_001, -1]],
];
for (const [category, taken, refused] of ttls) {
  test(`the time to live of ${category} has bounds`, () => {
    assert.deepEqual([undefined, ...taken].map((ttl) => checkTtl(category, ttl)?.code).filter(Boolean), []);
    assert.deepEqual(
      refused.filter((ttl) => checkTtl(category, ttl)?.code !== 100),
      [],
    );
  });
}
