import assert from "node:assert/strict";
import { test } from "node:test";
import { Dialect, EventKind } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import type { WebhookSubscription } from "./api/v1alpha1/webhook-subscription.ts";
import type { WhatsAppBusinessAccount } from "./api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "./api/v1alpha1/whatsapp-number.ts";
import type { WhatsAppTemplate } from "./api/v1alpha1/whatsapp-template.ts";
import { applyAccount, applyNumber, applySubscription, declareTemplate, editTemplate } from "./registration.ts";

const apiVersion = "heliograph.dev/v1alpha1";

function account(name: string, wabaId: string): WhatsAppBusinessAccount {
  return {
    apiVersion,
    kind: "WhatsAppBusinessAccount",
    metadata: { name },
    spec: { wabaId, credentialsRef: { name: "c" } },
  };
}

function number(name: string, phoneNumberId: string): WhatsAppNumber {
  return {
    apiVersion,
    kind: "WhatsAppNumber",
    metadata: { name },
    spec: {
      accountRef: { name: "fjord" },
      phoneNumberId,
      phoneNumber: "+15550100001",
      desiredState: "Connected",
      messagesPerSecond: 80,
      queueLimit: 500,
      messageTtlSeconds: 3_600,
      unknownPolicy: "Resend",
      unknownTimeoutSeconds: 60,
      contentPolicy: "PassThrough",
      disruption: { policy: "Migrate" },
      deletionPolicy: "Retain",
    },
  };
}

function subscription(spec: Partial<WebhookSubscription["spec"]>): WebhookSubscription {
  return {
    apiVersion,
    kind: "WebhookSubscription",
    metadata: { name: "bot" },
    spec: {
      url: "https://example.com/hook",
      dialect: "Cloud",
      secretRef: { name: "c", key: "appSecret" },
      keepTryingSeconds: 3_600,
      timeoutSeconds: 15,
      concurrency: 4,
      ...spec,
    },
  };
}

const templateSpec: WhatsAppTemplate["spec"] = {
  accountRef: { name: "fjord" },
  name: "hi",
  language: "de",
  category: "Utility",
  parameterFormat: "Positional",
  managementPolicy: "Enforce",
  deletionPolicy: "Retain",
};

const scope = {
  accounts: [account("fjord", "102"), account("bay", "103")],
  numbers: [number("orders", "9001"), number("care", "9002")],
};

test("an account becomes its id and name", () => {
  assert.deepEqual(applyAccount(account("fjord", "102")), { account: { wabaId: "102", name: "fjord" } });
});

test("a number becomes digits without a plus, words in our snake_case and every setting", () => {
  assert.deepEqual(applyNumber(number("orders", "9001"), account("fjord", "102")), {
    number: {
      phoneNumberId: "9001",
      wabaId: "102",
      displayPhoneNumber: "15550100001",
      name: "orders",
      spec: {
        messagesPerSecond: 80,
        unknownPolicy: "resend",
        unknownTimeoutSeconds: 60,
        queueLimit: 500,
        defaultTtlSeconds: 3_600,
        contentPolicy: "pass_through",
      },
    },
  });
});

test("a subscription carries its settings, in milliseconds where the contract says so, and the secrets' values", () => {
  const { subscription: applied } = applySubscription(subscription({ events: ["Messages", "Account"] }), scope, [
    "s3cret",
    "old",
  ]);
  assert.deepEqual(applied, {
    name: "bot",
    url: "https://example.com/hook",
    dialect: Dialect.CLOUD,
    events: [EventKind.MESSAGES, EventKind.ACCOUNT],
    phoneNumberIds: [],
    wabaIds: ["102", "103"],
    secrets: ["s3cret", "old"],
    keepTryingSeconds: 3_600,
    timeoutMs: 15_000,
    concurrency: 4,
  });
});

const cases: [
  sentence: string,
  spec: Partial<WebhookSubscription["spec"]>,
  phoneNumberIds: string[],
  wabaIds: string[],
][] = [
  ["without references: the accounts of its scope", {}, [], ["102", "103"]],
  ["with numbers: only those", { numberRefs: [{ name: "care" }] }, ["9002"], []],
  ["with accounts: only those", { accountRefs: [{ name: "bay" }] }, [], ["103"]],
];
for (const [sentence, spec, phoneNumberIds, wabaIds] of cases) {
  test(`a subscription ${sentence}`, () => {
    const { subscription: applied } = applySubscription(subscription(spec), scope, ["s"]);
    assert.deepEqual([applied?.phoneNumberIds, applied?.wabaIds], [phoneNumberIds, wabaIds]);
  });
}

test("a subscription that names what is not there is refused", () => {
  assert.throws(
    () => applySubscription(subscription({ numberRefs: [{ name: "bills" }] }), scope, ["s"]),
    /no resource is named bills/,
  );
});

const app = { packageName: "com.example.shop", signatureHash: "K8a/AINcGX7" };

const templates: [sentence: string, spec: Partial<WhatsAppTemplate["spec"]>, components: unknown[]][] = [
  ["with a text alone", { body: { text: "Hi" } }, [{ type: "BODY", text: "Hi" }]],
  [
    "with numbered variables, in the order of their numbers",
    {
      header: { type: "Text", text: "Order {{1}}", variables: [{ name: "1", example: "4711" }] },
      body: {
        text: "Hi {{1}}, {{2}} is ready.",
        variables: [
          { name: "2", example: "it" },
          { name: "1", example: "Ana" },
        ],
      },
    },
    [
      { type: "HEADER", format: "TEXT", text: "Order {{1}}", example: { header_text: ["4711"] } },
      { type: "BODY", text: "Hi {{1}}, {{2}} is ready.", example: { body_text: [["Ana", "it"]] } },
    ],
  ],
  [
    "with named variables",
    {
      parameterFormat: "Named",
      header: { type: "Text", text: "Order {{id}}", variables: [{ name: "id", example: "4711" }] },
      body: { text: "Hi {{name}}, yes.", variables: [{ name: "name", example: "Ana" }] },
    },
    [
      {
        type: "HEADER",
        format: "TEXT",
        text: "Order {{id}}",
        example: { header_text_named_params: [{ param_name: "id", example: "4711" }] },
      },
      {
        type: "BODY",
        text: "Hi {{name}}, yes.",
        example: { body_text_named_params: [{ param_name: "name", example: "Ana" }] },
      },
    ],
  ],
  [
    "with an image, a footer and every button",
    {
      header: { type: "Image", exampleHandle: "4::a" },
      body: { text: "Hi" },
      footer: { text: "Bye" },
      buttons: [
        { type: "QuickReply", text: "Yes" },
        { type: "Url", text: "See", url: "https://a.example/{{1}}", example: "https://a.example/b" },
        { type: "PhoneNumber", text: "Call", phoneNumber: "+15550100001" },
        { type: "CopyCode", example: "SPRING" },
      ],
    },
    [
      { type: "HEADER", format: "IMAGE", example: { header_handle: ["4::a"] } },
      { type: "BODY", text: "Hi" },
      { type: "FOOTER", text: "Bye" },
      {
        type: "BUTTONS",
        buttons: [
          { type: "QUICK_REPLY", text: "Yes" },
          { type: "URL", text: "See", url: "https://a.example/{{1}}", example: ["https://a.example/b"] },
          { type: "PHONE_NUMBER", text: "Call", phone_number: "+15550100001" },
          { type: "COPY_CODE", example: "SPRING" },
        ],
      },
    ],
  ],
  [
    "of a one-time code",
    {
      category: "Authentication",
      authentication: {
        securityRecommendation: "Show",
        codeExpirationMinutes: 5,
        codeButton: { type: "ZeroTap", autofillText: "Fill in", supportedApps: [app], zeroTapTerms: "Accepted" },
      },
    },
    [
      { type: "BODY", add_security_recommendation: true },
      { type: "FOOTER", code_expiration_minutes: 5 },
      {
        type: "BUTTONS",
        buttons: [
          {
            type: "OTP",
            otp_type: "ZERO_TAP",
            autofill_text: "Fill in",
            supported_apps: [{ package_name: "com.example.shop", signature_hash: "K8a/AINcGX7" }],
            zero_tap_terms_accepted: true,
          },
        ],
      },
    ],
  ],
];
for (const [sentence, more, components] of templates) {
  test(`a template ${sentence} becomes what Meta reviews`, () => {
    const declared = declareTemplate({ spec: { ...templateSpec, ...more } }, account("fjord", "102"));
    const { componentsJson, ...rest } = declared;
    assert.deepEqual(JSON.parse(Buffer.from(componentsJson).toString()), components);
    const category = more.category === "Authentication" ? "AUTHENTICATION" : "UTILITY";
    const parameterFormat = more.parameterFormat === "Named" ? "NAMED" : "POSITIONAL";
    assert.deepEqual(rest, { wabaId: "102", name: "hi", language: "de", category, parameterFormat });
  });
}

const ttls: [category: "Utility" | "Marketing", declared: number | undefined, atWhatsApp: number | undefined][] = [
  ["Utility", undefined, undefined],
  ["Utility", 3_600, 3_600],
  ["Utility", 2_592_000, -1],
  ["Marketing", 2_592_000, 2_592_000],
];
for (const [category, declared, atWhatsApp] of ttls) {
  test(`a ${category} template that lives ${declared ?? "as WhatsApp likes"} seconds`, () => {
    const ttl = declared === undefined ? {} : { messageTtlSeconds: declared };
    const template = declareTemplate({ spec: { ...templateSpec, category, ...ttl } }, account("fjord", "102"));
    assert.equal(template.messageSendTtlSeconds, atWhatsApp);
    const edited = editTemplate(template, { category: false, components: false, messageTtl: true }).template;
    assert.equal(edited?.messageSendTtlSeconds, atWhatsApp);
    assert.deepEqual([edited?.category, edited?.componentsJson], [undefined, undefined]);
  });
}
