import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { checkDocument } from "#local/checkers.ts";
import { TemplateSchema } from "#proto/heliograph/templates/v1/templates_pb.ts";
import { manifest } from "../adoption.ts";
import { declareTemplate } from "../registration.ts";
import { adoptTemplate } from "./adoption.ts";

const account = { spec: { wabaId: "102", credentialsRef: { name: "c" } } };

type Given = { category?: string; parameterFormat?: string; components: unknown[] };

/** What our resource makes of a template, or why it makes none. */
function roundTrip({ category = "UTILITY", parameterFormat = "POSITIONAL", components }: Given): unknown {
  const template = create(TemplateSchema, {
    wabaId: "102",
    name: "hi",
    language: "de",
    category,
    parameterFormat,
    componentsJson: Buffer.from(JSON.stringify(components)),
  });
  const adopted = adoptTemplate(template, "fjord");
  if ("why" in adopted) return adopted.why;
  const checked = checkDocument(manifest("WhatsAppTemplate", "hi", adopted.spec));
  if ("faults" in checked || checked.resource.kind !== "WhatsAppTemplate") return checked;
  const declared = declareTemplate(checked.resource, account);
  assert.deepEqual([declared.category, declared.parameterFormat], [category, parameterFormat]);
  return JSON.parse(Buffer.from(declared.componentsJson).toString());
}

const body = { type: "BODY", text: "Hi you" };
const buttons = (...given: object[]): object => ({ type: "BUTTONS", buttons: given });

const same: [sentence: string, given: Given][] = [
  ["a text", { components: [body] }],
  [
    "every part with numbered variables",
    {
      components: [
        { type: "HEADER", format: "TEXT", text: "For {{1}}", example: { header_text: ["Ana"] } },
        { type: "BODY", text: "Hi {{1}}, {{2}} is here.", example: { body_text: [["Ana", "it"]] } },
        { type: "FOOTER", text: "Bye" },
        buttons(
          { type: "QUICK_REPLY", text: "Yes" },
          { type: "URL", text: "See", url: "https://a.example/{{1}}", example: ["https://a.example/b"] },
          { type: "PHONE_NUMBER", text: "Call", phone_number: "+15550100001" },
          { type: "COPY_CODE", example: "SPRING" },
        ),
      ],
    },
  ],
  [
    "named variables",
    {
      parameterFormat: "NAMED",
      components: [
        {
          type: "BODY",
          text: "Hi {{name}}, yes.",
          example: { body_text_named_params: [{ param_name: "name", example: "Ana" }] },
        },
      ],
    },
  ],
  ["media", { components: [{ type: "HEADER", format: "IMAGE", example: { header_handle: ["4::a"] } }, body] }],
  ["a location", { category: "MARKETING", components: [{ type: "HEADER", format: "LOCATION" }, body] }],
];
for (const [sentence, given] of same) {
  test(`adopted and declared again: ${sentence}`, () => assert.deepEqual(roundTrip(given), given.components));
}

test("a one-time code, which WhatsApp shows as a link, is declared as a code", () => {
  const url =
    "https://www.whatsapp.com/otp/code/?otp_type=ONE_TAP&package_name=com.a.b&signature_hash=K8a/AINcGX7&code=otp{{1}}";
  const components = [
    { type: "BODY", text: "*{{1}}* is your code.", add_security_recommendation: false },
    { type: "FOOTER", text: "This code expires in 10 minutes." },
    buttons({ type: "URL", text: "Autofill", url }),
  ];
  const app = { package_name: "com.a.b", signature_hash: "K8a/AINcGX7" };
  assert.deepEqual(roundTrip({ category: "AUTHENTICATION", components }), [
    { type: "BODY", add_security_recommendation: false },
    { type: "FOOTER", code_expiration_minutes: 10 },
    buttons({ type: "OTP", otp_type: "ONE_TAP", supported_apps: [app] }),
  ]);
});

const ttls: [sentence: string, atWhatsApp: number, declared: number | undefined][] = [
  ["is declared", 3_600, 3_600],
  ["of 30 days in seconds", -1, 2_592_000],
  ["of nothing not at all", 0, undefined],
];
for (const [sentence, messageSendTtlSeconds, declared] of ttls) {
  test(`a time to live ${sentence}`, () => {
    const template = create(TemplateSchema, {
      name: "hi",
      category: "UTILITY",
      messageSendTtlSeconds,
      componentsJson: Buffer.from(JSON.stringify([body])),
    });
    const adopted = adoptTemplate(template, "fjord");
    assert.ok("spec" in adopted);
    assert.equal(adopted.spec["messageTtlSeconds"], declared);
  });
}

test("an example that is not told, or only in part, is filled in", () => {
  const link = { type: "URL", text: "See", url: "https://a.example/{{1}}", example: ["b"] };
  assert.deepEqual(roundTrip({ components: [{ type: "BODY", text: "Hi {{1}}, you." }, buttons(link)] }), [
    { type: "BODY", text: "Hi {{1}}, you.", example: { body_text: [["example"]] } },
    buttons({ ...link, example: ["https://a.example/b"] }),
  ]);
});

const strange: [component: object, words: RegExp][] = [
  [{ type: "CAROUSEL", cards: [] }, /CAROUSEL/],
  [{ type: "HEADER", format: "GIF" }, /header GIF/],
  [buttons({ type: "FLOW", text: "Go" }), /button FLOW/],
];
for (const [component, words] of strange) {
  test(`not declared: ${words.source}`, () =>
    assert.match(String(roundTrip({ components: [body, component] })), words));
}
