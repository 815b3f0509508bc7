// An account from YAML to what WhatsApp says of it, on a real API server, with real processes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { until } from "#test/until.ts";
import { businessAccounts, projectAccount, whatsAppNumbers } from "../kinds.ts";
import { numberOf, openStage, type Stage } from "../number/test-stage.ts";
import type { KubeObject } from "../runtime/objects.ts";
import { assertKeptSecret, conditionOf, untilSaid } from "../test-objects.ts";

const wabaId = "102290129340398";
const credentials = {
  accessToken: "simulator-access-token",
  appSecret: "simulator-app-secret",
  verifyToken: "a word of our choice",
};
const orders = numberOf(0);
const care = numberOf(1);
let stage: Stage;

before(async () => {
  stage = await openStage();
});
after(() => stage[Symbol.asyncDispose]());

const said = (type: string, expected: string, name = "fjord"): Promise<KubeObject> =>
  untilSaid(stage.admin, businessAccounts, `${stage.namespace}/${name}`, type, expected);

/** The hand that holds the simulator's world. */
async function admin(method: string, path: string, body?: object): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const init = body === undefined ? { method } : { method, headers, body: JSON.stringify(body) };
  const answer = await fetch(`${stage.services.simulator}/admin/${path}`, init);
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

/** News of the account, as the gateway would hand them in. */
async function tell(field = "account_update"): Promise<void> {
  const valueJson = Buffer.from(JSON.stringify({ event: field, at: Date.now() }));
  await stage.messages.ingest({ accountUpdates: [{ wabaId, field, valueJson, at: timestampFromDate(new Date()) }] });
}

test("without its Secret an account says so; with it and without numbers it can be used", async () => {
  await stage.startOperator();
  await stage.applyAccount();
  const first = await said("Ready", "False SecretMissing");
  assert.equal(conditionOf(first, "Stalled")?.status, "True");
  await stage.applySecret("fjord", { accessToken: credentials.accessToken });
  await until(async () => conditionOf(await said("Ready", "False"), "Ready")?.message.includes("no key appSecret"), {
    timeoutMs: 30_000,
  });
  await stage.applySecret("fjord", credentials);
  const ready = await said("Ready", "True Ready");
  assert.deepEqual(
    ["TokenValid", "Reconciling", "Stalled"].map((type) => conditionOf(ready, type)?.reason),
    ["NoNumbers", "NothingToDo", "NothingToDo"],
  );
});

test("through a connected number it learns all that WhatsApp says, and shows numbers that nobody declared", async () => {
  await stage.applyNumber("orders", orders);
  const object = await said("TokenValid", "True TokenAccepted");
  const { name, currency, undeclaredNumbers = [] } = projectAccount(object).status ?? {};
  assert.deepEqual([name, currency?.length], ["Fjord", 3]);
  const ids = undeclaredNumbers.map(({ phoneNumberId }) => phoneNumberId);
  assert.deepEqual([ids.includes(orders.phoneNumberId), ids.includes(care.phoneNumberId)], [false, true]);
  assert.equal(undeclaredNumbers[0]?.maskedPhoneNumber, "+15*******01");
  const types = ["WebhookSubscribed", "BusinessVerified", "AccountReviewed", "PaymentReady", "Ready"];
  assert.deepEqual(
    types.map((type) => conditionOf(object, type)?.status),
    ["True", "True", "True", "True", "True"],
  );
});

test("a declared number is not shown any more; asking WhatsApp again changes and writes nothing", async () => {
  await stage.applyNumber("care", { ...care, desiredState: "Disconnected" });
  const declared = await until(async () => {
    const account = projectAccount(await said("Ready", "True Ready"));
    const shown = account.status?.undeclaredNumbers?.map(({ phoneNumberId }) => phoneNumberId);
    return shown?.includes(care.phoneNumberId) === false ? account : undefined;
  });
  // A fault that changes nothing counts the calls.
  await admin("POST", "faults", { id: "count", kind: "slow", ms: 0, match: { path: "debug_token" } });
  await tell();
  await until(async () => /"fired":[1-9]/.test(JSON.stringify(await admin("GET", "faults"))), { timeoutMs: 30_000 });
  await admin("DELETE", "faults/count");
  const { metadata } = await said("Ready", "True Ready");
  assert.equal(metadata.resourceVersion, declared.metadata.resourceVersion);
});

test("news of the account are looked into at once", async () => {
  await admin("PUT", `accounts/${wabaId}`, { payment: "missing", verificationStatus: "pending" });
  await tell("account_review_update");
  const blocked = await said("PaymentReady", "False PaymentMissing");
  assert.deepEqual(
    ["Ready", "Stalled", "BusinessVerified"].map((type) => conditionOf(blocked, type)?.reason),
    ["SendingBlocked", "SendingBlocked", "VerificationPending"],
  );
  await admin("PUT", `accounts/${wabaId}`, { payment: "ok", verificationStatus: "verified" });
  await tell("account_review_update");
  await said("Ready", "True Ready");
});

test("an app whose subscription was taken away is subscribed again", async () => {
  await admin("PUT", `accounts/${wabaId}`, { subscribed: false });
  await tell();
  const isSubscribed = async (): Promise<boolean> =>
    JSON.stringify(await admin("GET", "accounts")).includes('"subscribed":true');
  await until(isSubscribed, { timeoutMs: 30_000 });
  await said("WebhookSubscribed", "True Subscribed");
});

test("a token that ends is told before and after", async () => {
  await admin("PUT", "settings", { tokenExpiresAt: Date.now() + 86_400_000 });
  await tell();
  await said("TokenValid", "True TokenExpiring");
  await admin("PUT", "settings", { tokenExpiresAt: Date.now() - 1_000 });
  await tell();
  const refused = await said("TokenValid", "False TokenRefused");
  assert.equal(conditionOf(refused, "Stalled")?.status, "True");
  await admin("PUT", "settings", { tokenExpiresAt: Date.now() + 30 * 86_400_000 });
  await tell();
  await said("Ready", "True Ready");
});

test("of two resources with one wabaId the younger is in use, until the older goes", async () => {
  const spec = { wabaId: "41", credentialsRef: { name: "fjord" } };
  const { metadata } = await stage.apply(businessAccounts, "elder", spec);
  await until(() => Date.parse(metadata.creationTimestamp ?? "") < Date.now() - 1_000);
  await stage.apply(businessAccounts, "twin", spec);
  await said("Ready", "False AccountInUse", "twin");
  await said("Ready", "True Ready", "elder");
  await stage.admin.client.delete(businessAccounts, `${stage.namespace}/elder`);
  await said("Ready", "True Ready", "twin");
});

test("messages away is told with its name, and ends by itself", async () => {
  await stage.services.stopMessages();
  await stage.apply(businessAccounts, "late", { wabaId: "42", credentialsRef: { name: "fjord" } });
  await said("Ready", "Unknown MessagesAway", "late");
  await stage.services.startMessages();
  await said("Ready", "True Ready", "late");
});

test("no secret and no phone number is told", async () => {
  const words = [...Object.values(credentials), orders.phoneNumber.slice(1), care.phoneNumber.slice(1)];
  const { namespace } = stage;
  await assertKeptSecret(stage.admin, { namespace, resources: [businessAccounts, whatsAppNumbers], words });
});
