import assert from "node:assert/strict";
import { test } from "node:test";
import type { WebhookSubscription } from "../api/v1alpha1/webhook-subscription.ts";
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import { type Candidate, resolve } from "./scope.ts";

const apiVersion = "heliograph.dev/v1alpha1";

function account(name: string, wabaId: string, isInUse = false): Candidate<WhatsAppBusinessAccount> {
  const spec = { wabaId, credentialsRef: { name } };
  return { resource: { apiVersion, kind: "WhatsAppBusinessAccount", metadata: { name }, spec }, isInUse };
}

function number(name: string, phoneNumberId: string, isInUse = false): Candidate<WhatsAppNumber> {
  const resource: WhatsAppNumber = {
    apiVersion,
    kind: "WhatsAppNumber",
    metadata: { name },
    spec: {
      accountRef: { name: "fjord" },
      phoneNumberId,
      phoneNumber: "+15550100001",
      desiredState: "Connected",
      messagesPerSecond: 20,
      queueLimit: 1_000,
      messageTtlSeconds: 86_400,
      unknownPolicy: "Fail",
      unknownTimeoutSeconds: 600,
      contentPolicy: "Store",
      disruption: { policy: "Migrate" },
      deletionPolicy: "Retain",
    },
  };
  return { resource, isInUse };
}

function subscription(spec: Partial<WebhookSubscription["spec"]>): WebhookSubscription {
  return {
    apiVersion,
    kind: "WebhookSubscription",
    metadata: { name: "hook", namespace: "shop" },
    spec: {
      url: "https://example.com/hook",
      dialect: "Cloud",
      secretRef: { name: "hook", key: "secret" },
      keepTryingSeconds: 60,
      timeoutSeconds: 15,
      concurrency: 16,
      ...spec,
    },
  };
}

const candidates = {
  accounts: [account("fjord", "102"), account("bay", "103"), account("stolen", "999", true)],
  numbers: [number("orders", "9001"), number("taken", "9009", true)],
};

const cases: [sentence: string, spec: Partial<WebhookSubscription["spec"]>, expected: string][] = [
  ["without references: the accounts of the namespace, but for those of others", {}, "accounts 102,103 numbers "],
  ["with a number", { numberRefs: [{ name: "orders" }] }, "accounts  numbers 9001"],
  ["with an account", { accountRefs: [{ name: "bay" }] }, "accounts 103 numbers "],
  ["with a number that is not there", { numberRefs: [{ name: "orders" }, { name: "gone" }] }, "NumberMissing"],
  ["with a number that an older resource has", { numberRefs: [{ name: "taken" }] }, "NumberInUse"],
  ["with an account that is not there", { accountRefs: [{ name: "gone" }] }, "AccountMissing"],
  ["with an account that an older resource has", { accountRefs: [{ name: "stolen" }] }, "AccountInUse"],
];
for (const [sentence, spec, expected] of cases) {
  test(`a subscription ${sentence}`, () => {
    const resolved = resolve(subscription(spec), candidates, "shop/hook");
    if (resolved.kind === "unresolved") return assert.equal(resolved.reason, expected);
    const { name, wabaIds, phoneNumberIds } = resolved.declared;
    assert.deepEqual([name, `accounts ${wabaIds.join()} numbers ${phoneNumberIds.join()}`], ["shop/hook", expected]);
  });
}

test("an open subscription of a namespace without accounts is not one of every account there is", () => {
  const resolved = resolve(subscription({}), { accounts: [account("stolen", "999", true)], numbers: [] }, "shop/hook");
  assert.deepEqual(resolved.kind === "unresolved" && resolved.reason, "NoAccounts");
});
