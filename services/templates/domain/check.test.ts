import assert from "node:assert/strict";
import { test } from "node:test";
import { checkParameters, checkState } from "./check.ts";
import { readShape, type TemplateShape } from "./components.ts";
import type { RefusalReason } from "./refusal.ts";
import { render } from "./render.ts";
import type { Card, Component, Parameter } from "./texts.ts";

const text = (value: unknown, name = ""): Parameter => ({ type: "text", name, value });
const param = (type: string, value: unknown): Parameter => ({ type, name: "", value });

function part(type: string, ...parameters: Parameter[]): Component {
  return { type, subType: "", index: undefined, parameters, cards: [] };
}

function button(index: number | undefined, subType: string, ...parameters: Parameter[]): Component {
  return { type: "button", subType, index, parameters, cards: [] };
}

function carousel(...cards: Card[]): Component {
  return { type: "carousel", subType: "", index: undefined, parameters: [], cards };
}

const BODY = { type: "BODY", text: "Hi {{1}}, your order {{2}} is on its way." };
const order = readShape("POSITIONAL", [BODY]);
const named = readShape("NAMED", [{ type: "BODY", text: "Hi {{name}}, your order {{order_id}} is on its way." }]);
const titled = readShape("POSITIONAL", [
  { type: "HEADER", format: "TEXT", text: "Order {{1}}" },
  { type: "BODY", text: "Hello" },
]);
const plain = readShape("POSITIONAL", [{ type: "BODY", text: "Hello" }]);
const withHeader = (format: string): TemplateShape =>
  readShape("POSITIONAL", [
    { type: "HEADER", format },
    { type: "BODY", text: "Hello" },
  ]);
const withButtons = (...buttons: unknown[]): TemplateShape =>
  readShape("POSITIONAL", [
    { type: "BODY", text: "Hello" },
    { type: "BUTTONS", buttons },
  ]);
const link = { type: "URL", text: "Track", url: "https://example.com/{{1}}" };
const yes = { type: "QUICK_REPLY", text: "Yes" };
const otp = readShape("POSITIONAL", [
  { type: "BODY", text: "*{{1}}* is your verification code." },
  {
    type: "BUTTONS",
    buttons: [
      { type: "URL", text: "Copy code", url: "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}" },
    ],
  },
]);
const card = {
  components: [
    { type: "HEADER", format: "IMAGE" },
    { type: "BODY", text: "{{1}}" },
  ],
};
const cards = readShape("POSITIONAL", [
  { type: "BODY", text: "Look" },
  { type: "CAROUSEL", cards: [card, card] },
]);
const picture = param("image", { link: "https://example.com/a.png" });
const offer = readShape("POSITIONAL", [
  { type: "BODY", text: "Now" },
  { type: "LIMITED_TIME_OFFER", limited_time_offer: { text: "!", has_expiration: true } },
]);

const filledCard = (index: number): Card => ({ index, components: [part("header", picture), part("body", text("x"))] });

type Case = [
  sentence: string,
  shape: TemplateShape,
  components: Component[],
  reason: RefusalReason | undefined,
  details?: string,
];

const count = "template_parameter_count";
const form = "template_parameter_format";
const value = "template_parameter_value";

const bodies: Case[] = [
  ["as many values as variables fit", order, [part("body", text("Ana"), text("42"))], undefined],
  ["too few values", order, [part("body", text("Ana"))], count, "body: expected 2 parameters, found 1"],
  [
    "too many values",
    order,
    [part("body", text("Ana"), text("42"), text("x"))],
    count,
    "body: expected 2 parameters, found 3",
  ],
  ["no body component at all", order, [], count, "body: expected 2 parameters, found 0"],
  ["a template without variables needs nothing", plain, [], undefined],
  [
    "a value for a template without variables",
    plain,
    [part("body", text("x"))],
    count,
    "body: expected 0 parameters, found 1",
  ],
  ["an empty body component is harmless", plain, [part("body")], undefined],
  [
    "a currency and a date are texts too",
    order,
    [
      part(
        "body",
        param("currency", { fallback_value: "$10", code: "USD" }),
        param("date_time", { fallback_value: "May 1" }),
      ),
    ],
    undefined,
  ],
  [
    "a currency without fallback_value",
    order,
    [part("body", text("Ana"), param("currency", { code: "USD" }))],
    form,
    "body parameter 2: expected a text, or a currency or date_time with fallback_value",
  ],
  ["an image in the body", order, [part("body", text("Ana"), picture)], form],
  ["a number instead of a text", order, [part("body", text("Ana"), text(42))], form],
  ["an empty value", order, [part("body", text("Ana"), text(""))], value, "body parameter 2: the text is empty"],
  [
    "a value of spaces only",
    order,
    [part("body", text("Ana"), text("  "))],
    value,
    "body parameter 2: the text is empty",
  ],
  [
    "a value with a newline",
    order,
    [part("body", text("A\nB"), text("42"))],
    value,
    "body parameter 1: the text has a newline or a tab",
  ],
  [
    "a value with a tab",
    order,
    [part("body", text("A\tB"), text("42"))],
    value,
    "body parameter 1: the text has a newline or a tab",
  ],
  [
    "a value with five spaces",
    order,
    [part("body", text("A     B"), text("42"))],
    value,
    "body parameter 1: the text has more than four spaces in a row",
  ],
  ["a value with four spaces is fine", order, [part("body", text("A    B"), text("42"))], undefined],
  [
    "a body of 1,024 characters fits",
    readShape("POSITIONAL", [{ type: "BODY", text: "{{1}}" }]),
    [part("body", text("ä".repeat(1_024)))],
    undefined,
  ],
  [
    "a body of 1,025 characters does not",
    readShape("POSITIONAL", [{ type: "BODY", text: "{{1}}" }]),
    [part("body", text("😀".repeat(1_025)))],
    "template_text_too_long",
    "body: expected at most 1024 characters, found 1025",
  ],
  ["named values fit in any order", named, [part("body", text("42", "order_id"), text("Ana", "name"))], undefined],
  [
    "a name that the template does not have",
    named,
    [part("body", text("42", "order"), text("Ana", "name"))],
    form,
    "body: no parameter has the parameter_name order_id",
  ],
  [
    "a value without a name",
    named,
    [part("body", text("42"), text("Ana", "name"))],
    form,
    "body: no parameter has the parameter_name order_id",
  ],
  [
    "a name given twice",
    named,
    [part("body", text("42", "name"), text("Ana", "name"))],
    form,
    "body: no parameter has the parameter_name order_id",
  ],
  ["too few named values", named, [part("body", text("Ana", "name"))], count, "body: expected 2 parameters, found 1"],
  ["a type that does not exist", plain, [part("buttons")], form],
  [
    "a component given twice",
    order,
    [part("body", text("Ana"), text("42")), part("body", text("Ana"), text("42"))],
    form,
    "body: the component is given twice",
  ],
];

const headers: Case[] = [
  ["a header text is filled", titled, [part("header", text("42"))], undefined],
  ["a header text is missing", titled, [], count, "header: expected 1 parameter, found 0"],
  [
    "a header for a template without one",
    plain,
    [part("header", text("42"))],
    count,
    "header: expected 0 parameters, found 1",
  ],
  ["an image by link", withHeader("IMAGE"), [part("header", picture)], undefined],
  ["an image by id", withHeader("IMAGE"), [part("header", param("image", { id: "1" }))], undefined],
  [
    "an image by both",
    withHeader("IMAGE"),
    [part("header", param("image", { id: "1", link: "https://example.com/a.png" }))],
    form,
    "header: expected exactly one of id and link in image",
  ],
  ["an image by neither", withHeader("IMAGE"), [part("header", param("image", {}))], form],
  [
    "a required image is missing",
    withHeader("IMAGE"),
    [],
    form,
    "header: expected a parameter of type image, found none",
  ],
  [
    "a video where an image belongs",
    withHeader("IMAGE"),
    [part("header", param("video", { id: "1" }))],
    form,
    "header: expected a parameter of type image",
  ],
  [
    "two images",
    withHeader("IMAGE"),
    [part("header", picture, picture)],
    count,
    "header: expected 1 parameter, found 2",
  ],
  [
    "a document",
    withHeader("DOCUMENT"),
    [part("header", param("document", { id: "1", filename: "a.pdf" }))],
    undefined,
  ],
  ["a location", withHeader("LOCATION"), [part("header", param("location", { latitude: 1, longitude: 2 }))], undefined],
  ["a location is missing", withHeader("LOCATION"), [], form],
];

const buttons: Case[] = [
  ["a link's suffix", withButtons(yes, link), [button(1, "url", text("a%20b"))], undefined],
  ["a link's suffix is missing", withButtons(link), [], count, "button 0: expected 1 parameter, found 0"],
  [
    "a suffix for a fixed link",
    withButtons({ type: "URL", text: "Go", url: "https://example.com/" }),
    [button(0, "url", text("x"))],
    count,
  ],
  ["a suffix that is no text", withButtons(link), [button(0, "url", param("payload", "x"))], form],
  ["a suffix with a newline", withButtons(link), [button(0, "url", text("a\nb"))], value],
  [
    "a link that is none in the end",
    withButtons({ type: "URL", text: "Go", url: "{{1}}" }),
    [button(0, "url", text("no link"))],
    value,
    "button 0: the resulting link is not valid",
  ],
  [
    "an index without a button",
    withButtons(link),
    [button(1, "url", text("x"))],
    value,
    "button 1: the template has 1 buttons",
  ],
  [
    "a button without an index",
    withButtons(link),
    [button(undefined, "url", text("x"))],
    value,
    "button: the index is missing",
  ],
  [
    "a button of another kind",
    withButtons(link),
    [button(0, "quick_reply", param("payload", "x"))],
    value,
    "button 0: expected sub_type url",
  ],
  [
    "a button given twice",
    withButtons(link),
    [button(0, "url", text("x")), button(0, "url", text("x"))],
    value,
    "button 0: the index is given twice",
  ],
  ["a quick reply's payload", withButtons(yes), [button(0, "quick_reply", param("payload", "YES"))], undefined],
  ["a quick reply needs no payload", withButtons(yes), [], undefined],
  [
    "an empty payload",
    withButtons(yes),
    [button(0, "quick_reply", param("payload", ""))],
    value,
    "button 0: the payload is empty",
  ],
  [
    "a payload of another type",
    withButtons(yes),
    [button(0, "quick_reply", text("YES"))],
    value,
    "button 0: expected a payload",
  ],
  [
    "a coupon code",
    withButtons({ type: "COPY_CODE", text: "Copy" }),
    [button(0, "copy_code", param("coupon_code", "25OFF"))],
    undefined,
  ],
  ["a coupon code is missing", withButtons({ type: "COPY_CODE", text: "Copy" }), [], form],
  [
    "a coupon code over 20 characters",
    withButtons({ type: "COPY_CODE", text: "Copy" }),
    [button(0, "copy_code", param("coupon_code", "1".repeat(21)))],
    value,
    "button 0: expected at most 20 characters, found 21",
  ],
  [
    "a flow is left to WhatsApp",
    withButtons({ type: "FLOW", text: "Open" }),
    [button(0, "flow", param("action", { flow_token: "x" }))],
    undefined,
  ],
];

const rest: Case[] = [
  ["a one-time code in both places", otp, [part("body", text("123456")), button(0, "url", text("123456"))], undefined],
  [
    "two different codes",
    otp,
    [part("body", text("123456")), button(0, "url", text("654321"))],
    value,
    "button 0: expected the same code as in the body",
  ],
  [
    "a code over 15 characters",
    otp,
    [part("body", text("1".repeat(16))), button(0, "url", text("1".repeat(16)))],
    value,
    "button 0: expected at most 15 characters, found 16",
  ],
  ["a code without its button", otp, [part("body", text("123456"))], count, "button 0: expected 1 parameter, found 0"],
  ["every card filled", cards, [carousel(filledCard(1), filledCard(0))], undefined],
  ["a card too few", cards, [carousel(filledCard(0))], count, "carousel: expected 2 cards, found 1"],
  ["a card twice", cards, [carousel(filledCard(0), filledCard(0))], form, "carousel: no card has the card_index 1"],
  [
    "a card with a value missing",
    cards,
    [carousel(filledCard(0), { index: 1, components: [part("header", picture)] })],
    count,
    "card 1 body: expected 1 parameter, found 0",
  ],
  [
    "an offer with its end",
    offer,
    [part("limited_time_offer", param("limited_time_offer", { expiration_time_ms: 1_790_000_000_000 }))],
    undefined,
  ],
  ["an offer without its end", offer, [], form, "limited_time_offer: expected expiration_time_ms"],
];

for (const [sentence, shape, components, reason, details] of [...bodies, ...headers, ...buttons, ...rest]) {
  test(`${sentence}: ${reason ?? "sendable"}`, () => {
    const verdict = checkParameters(shape, components);
    assert.equal(verdict?.refused, reason);
    if (details !== undefined) assert.equal(verdict?.details, details);
  });
}

test("the state's refusal names the template, its language and what is known", () => {
  assert.equal(checkState("APPROVED", "order_update", "en_US"), undefined);
  assert.deepEqual(checkState("PAUSED", "order_update", "en_US"), {
    refused: "template_paused",
    details: "template order_update in en_US is PAUSED",
  });
  assert.deepEqual(checkState(undefined, "order_update", "en_US"), {
    refused: "template_missing",
    details: "template order_update in en_US does not exist",
  });
});

test("rendering fills header and body, and keeps footer and labels", () => {
  const shape = readShape("NAMED", [
    { type: "HEADER", format: "TEXT", text: "Order {{order_id}}" },
    { type: "BODY", text: "Hi {{name}}, {{name}}! $& stays." },
    { type: "FOOTER", text: "Bye" },
    { type: "BUTTONS", buttons: [yes] },
  ]);
  assert.deepEqual(render(shape, [part("header", text("42", "order_id")), part("body", text("$1 Ana", "name"))]), {
    header: "Order 42",
    body: "Hi $1 Ana, $1 Ana! $& stays.",
    footer: "Bye",
    buttons: ["Yes"],
  });
});
