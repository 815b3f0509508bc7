import assert from "node:assert/strict";
import { test } from "node:test";
import { readShape, type TemplateShape } from "./components.ts";

const empty: TemplateShape = {
  format: "positional",
  header: undefined,
  body: undefined,
  footer: undefined,
  buttons: [],
  cards: undefined,
  hasExpiration: false,
};

const shapes: [sentence: string, format: string, components: unknown, shape: TemplateShape][] = [
  [
    "numbered variables come in the order of their numbers, each once",
    "POSITIONAL",
    [{ type: "BODY", text: "{{2}} and {{1}}, again {{2}}, not {{10}}" }],
    { ...empty, body: { text: "{{2}} and {{1}}, again {{2}}, not {{10}}", variables: ["1", "2", "10"] } },
  ],
  [
    "named variables come in the order of the text",
    "NAMED",
    [{ type: "BODY", text: "Hi {{ name }}, {{order_id}}" }],
    { ...empty, format: "named", body: { text: "Hi {{ name }}, {{order_id}}", variables: ["name", "order_id"] } },
  ],
  [
    "header, footer and buttons are read",
    "POSITIONAL",
    [
      { type: "HEADER", format: "IMAGE", example: { header_handle: ["4::x"] } },
      { type: "BODY", text: "Hello" },
      { type: "FOOTER", text: "Bye" },
      {
        type: "BUTTONS",
        buttons: [
          { type: "QUICK_REPLY", text: "Yes" },
          { type: "URL", text: "Track", url: "https://example.com/{{1}}" },
          { type: "COPY_CODE", text: "Copy", example: ["X"] },
          { type: "PHONE_NUMBER", text: "Call", phone_number: "15550001111" },
        ],
      },
    ],
    {
      ...empty,
      header: { kind: "media", media: "image" },
      body: { text: "Hello", variables: [] },
      footer: "Bye",
      buttons: [
        { kind: "quick_reply", label: "Yes" },
        { kind: "url", label: "Track", url: { text: "https://example.com/{{1}}", variables: ["1"] }, otp: false },
        { kind: "copy_code", label: "Copy" },
        { kind: "other", label: "Call", type: "phone_number" },
      ],
    },
  ],
  [
    "an authentication template has one code, in the body and in its button",
    "POSITIONAL",
    [
      { type: "BODY", add_security_recommendation: true },
      { type: "FOOTER", code_expiration_minutes: 5 },
      { type: "BUTTONS", buttons: [{ type: "OTP", otp_type: "COPY_CODE", text: "Copy code" }] },
    ],
    {
      ...empty,
      body: { text: "*{{1}}* is your verification code.", variables: ["1"] },
      footer: "This code expires in 5 minutes.",
      buttons: [{ kind: "url", label: "Copy code", url: { text: "{{1}}", variables: ["1"] }, otp: true }],
    },
  ],
  [
    "a carousel has parts of its own",
    "POSITIONAL",
    [
      { type: "BODY", text: "Look" },
      {
        type: "CAROUSEL",
        cards: [
          {
            components: [
              { type: "HEADER", format: "VIDEO" },
              { type: "BODY", text: "{{1}}" },
            ],
          },
        ],
      },
    ],
    {
      ...empty,
      body: { text: "Look", variables: [] },
      cards: [
        {
          header: { kind: "media", media: "video" },
          body: { text: "{{1}}", variables: ["1"] },
          footer: undefined,
          buttons: [],
        },
      ],
    },
  ],
  [
    "a limited-time offer with an end is noticed",
    "POSITIONAL",
    [{ type: "LIMITED_TIME_OFFER", limited_time_offer: { text: "Now!", has_expiration: true } }],
    { ...empty, hasExpiration: true },
  ],
  [
    "what is not understood asks for nothing",
    "POSITIONAL",
    [{ type: "HEADER", format: "HOLOGRAM" }, 7, null, { type: "SONG" }],
    empty,
  ],
  ["no array at all asks for nothing", "", { error: "?" }, empty],
];

for (const [sentence, format, components, shape] of shapes) {
  test(sentence, () => assert.deepEqual(readShape(format, components), shape));
}
