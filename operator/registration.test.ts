import assert from "node:assert/strict";
import { test } from "node:test";
import { Dialect, EventKind } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import type { WebhookSubscription } from "./api/v1alpha1/webhook-subscription.ts";
import type { WhatsAppBusinessAccount } from "./api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "./api/v1alpha1/whatsapp-number.ts";
import { applyAccount, applyNumber, applySubscription } from "./registration.ts";

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

test("a subscription carries its settings, in milliseconds where the contract says so, and the secret's value", () => {
  const { subscription: applied } = applySubscription(
    subscription({ events: ["Messages", "Account"] }),
    scope,
    "s3cret",
  );
  assert.deepEqual(applied, {
    name: "bot",
    url: "https://example.com/hook",
    dialect: Dialect.CLOUD,
    events: [EventKind.MESSAGES, EventKind.ACCOUNT],
    phoneNumberIds: [],
    wabaIds: ["102", "103"],
    secrets: ["s3cret"],
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
    const { subscription: applied } = applySubscription(subscription(spec), scope, "s");
    assert.deepEqual([applied?.phoneNumberIds, applied?.wabaIds], [phoneNumberIds, wabaIds]);
  });
}

test("a subscription that names what is not there is refused", () => {
  assert.throws(
    () => applySubscription(subscription({ numberRefs: [{ name: "bills" }] }), scope, "s"),
    /no resource is named bills/,
  );
});
