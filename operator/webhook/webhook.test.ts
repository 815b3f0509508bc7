// A subscription from YAML to signed deliveries, on a real API server, with the real services.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { signStandard, verify } from "#dialects/signature.ts";
import { type Client, createClient } from "#lib/grpc.ts";
import { WebhooksService } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import { startWebhooksService, type WebhooksProcess } from "#test/env/webhooks-service.ts";
import { until } from "#test/until.ts";
import { businessAccounts, projectSubscription, webhookSubscriptions } from "../kinds.ts";
import { openStage, type Stage } from "../number/test-stage.ts";
import type { KubeObject } from "../runtime/objects.ts";
import { assertKeptSecret, conditionOf, untilSaid } from "../test-objects.ts";

const wabaId = "102290129340398";
const timeoutMs = 60_000;
let stage: Stage;
let service: WebhooksProcess;
let webhooks: Client<typeof WebhooksService>;

before(async () => {
  stage = await openStage();
  service = await startWebhooksService(stage.services.natsUrl);
  webhooks = createClient(WebhooksService, service.address);
  await stage.applySecret("signing", { first: "secret one", second: "secret two" });
  await stage.startOperator({ WEBHOOKS_ADDRESS: service.address });
});
after(async () => {
  await stage[Symbol.asyncDispose]();
  await webhooks[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
});

const keyOf = (name: string): string => `${stage.namespace}/${name}`;
const said = (name: string, expected: string, type = "Ready"): Promise<KubeObject> =>
  untilSaid(stage.admin, webhookSubscriptions, keyOf(name), type, expected);

async function subscribe(name: string, spec: object = {}): Promise<void> {
  const url = service.receiver.url(`/${name}`);
  await stage.apply(webhookSubscriptions, name, { url, secretRef: { name: "signing", key: "first" }, ...spec });
}

/** News of the account, as the gateway would hand them in: each is delivered to who asked for it. */
async function tell(): Promise<void> {
  const valueJson = Buffer.from(JSON.stringify({ event: "account_update", at: performance.now() }));
  const update = { wabaId, field: "account_update", valueJson, at: timestampFromDate(new Date()) };
  await stage.messages.ingest({ accountUpdates: [update] });
}

/** Tells news, one after another, until one that satisfies `isWanted` has come to the subscription's address. */
async function heard(
  name: string,
  isWanted: (headers: Record<string, unknown>, body: Buffer) => boolean,
): Promise<void> {
  await until(
    async () => {
      const before = service.receiver.on(`/${name}`).length;
      await tell();
      await until(() => service.receiver.on(`/${name}`).length > before, { timeoutMs });
      const news = service.receiver.on(`/${name}`).slice(before);
      return news.some(({ headers, body }) => isWanted(headers, body));
    },
    { timeoutMs, message: `${name} hears it` },
  );
}

/** Signed by exactly these, the first in the header that has room for one. */
function isSignedBy(...secrets: string[]) {
  return (headers: Record<string, unknown>, body: Buffer): boolean => {
    const [id, timestamp] = [String(headers["webhook-id"]), String(headers["webhook-timestamp"])];
    const isFirst = verify(secrets.slice(0, 1), body, String(headers["x-hub-signature-256"]));
    return isFirst && headers["webhook-signature"] === signStandard(secrets, { id, timestamp }, body);
  };
}

test("without an account in its namespace a subscription gets nothing, with one it gets its news", async () => {
  await subscribe("open");
  const first = await said("open", "False NoAccounts");
  assert.equal(conditionOf(first, "Stalled")?.status, "True");
  assert.deepEqual((await webhooks.listSubscriptions({})).subscriptions, []);
  await stage.apply(businessAccounts, "fjord", { wabaId, credentialsRef: { name: "signing" } });
  const ready = await said("open", "True Ready");
  assert.deepEqual(ready.metadata.finalizers, ["heliograph.dev/subscription"]);
  assert.deepEqual(
    ["Stalled", "Reconciling"].map((type) => conditionOf(ready, type)?.status),
    ["False", "False"],
  );
  await heard("open", isSignedBy("secret one"));
});

test("while a secret is replaced both sign; then the new one alone, and its next value within half a minute", async () => {
  const [first, second] = ["first", "second"].map((key) => ({ name: "signing", key }));
  await subscribe("rotating");
  await said("rotating", "True Ready");
  await subscribe("rotating", { secretRef: second, previousSecretRef: first });
  await heard("rotating", isSignedBy("secret two", "secret one"));
  await subscribe("rotating", { secretRef: second });
  await heard("rotating", isSignedBy("secret two"));
  await stage.applySecret("signing", { first: "secret one", second: "secret three" });
  await heard("rotating", isSignedBy("secret three"));
});

test("a missing Secret stops nothing that runs, and is told", async () => {
  await subscribe("open", { secretRef: { name: "signing", key: "third" } });
  await said("open", "False SecretMissing");
  await heard("open", isSignedBy("secret one"));
  await subscribe("open");
  await said("open", "True Ready");
});

test("an address that fails opens the circuit, and closes it when it answers", async () => {
  service.receiver.answer("/open", () => ({ status: 429, headers: { "retry-after": "13" } }));
  await tell();
  const failing = projectSubscription(await said("open", "False CircuitOpen"));
  assert.deepEqual([failing.status?.circuit, failing.status?.lastFailure?.includes("429")], ["Open", true]);
  assert.ok((failing.status?.pending ?? 0) > 0);
  service.receiver.answer("/open", () => 200);
  const closed = projectSubscription(await said("open", "True Ready"));
  assert.equal(closed.status?.circuit, "Closed");
});

test("at rest nothing is written", async () => {
  const versions = async (): Promise<string[]> => {
    const { items } = await stage.admin.client.list(webhookSubscriptions, { namespace: stage.namespace });
    return items.map(({ metadata }) => metadata.resourceVersion);
  };
  await said("rotating", "True Ready");
  const before = await versions();
  const delivered = service.receiver.on("/rotating").length;
  await tell();
  await until(() => service.receiver.on("/rotating").length > delivered, { timeoutMs });
  // What the operator is told of it next changes no condition.
  await until(async () => {
    const { status } = await webhooks.getSubscription({ name: keyOf("rotating") });
    return status?.lastSuccessAt !== undefined;
  });
  assert.deepEqual(await versions(), before);
});

test("what the service refuses is told in its words", async () => {
  await subscribe("old", { dialect: "OnPremises" });
  const refused = await said("old", "False SubscriptionRefused");
  assert.match(conditionOf(refused, "Ready")?.message ?? "", /only the cloud dialect is built/);
  assert.equal(conditionOf(refused, "Stalled")?.status, "True");
});

test("webhooks away is told with its name; a resource that is deleted meanwhile goes when it is back", async () => {
  await service.stop();
  await stage.admin.client.delete(webhookSubscriptions, keyOf("rotating"));
  await said("rotating", "Unknown WebhooksAway");
  await said("open", "Unknown WebhooksAway");
  await service.start();
  await until(async () => (await stage.admin.client.get(webhookSubscriptions, keyOf("rotating"))) === undefined, {
    timeoutMs,
    message: "the resource is gone",
  });
  const { subscriptions } = await webhooks.listSubscriptions({});
  assert.deepEqual(
    subscriptions.map(({ name }) => name),
    [keyOf("open")],
  );
  await said("open", "True Ready");
});

test("an account that is deleted and applied again takes nothing of what waits with it", async () => {
  await stage.admin.client.delete(businessAccounts, keyOf("fjord"));
  await said("open", "False NoAccounts");
  const { subscriptions } = await webhooks.listSubscriptions({});
  assert.deepEqual(
    subscriptions.map(({ name }) => name),
    [keyOf("open")],
  );
  await stage.apply(businessAccounts, "fjord", { wabaId, credentialsRef: { name: "signing" } });
  await said("open", "True Ready");
});

test("with the resource goes what the service has", async () => {
  await stage.admin.client.delete(webhookSubscriptions, keyOf("open"));
  await until(async () => (await stage.admin.client.get(webhookSubscriptions, keyOf("open"))) === undefined, {
    timeoutMs,
  });
  assert.deepEqual((await webhooks.listSubscriptions({})).subscriptions, []);
});

test("no secret is told", async () => {
  const words = ["secret one", "secret two", "secret three"].flatMap((word) => [
    word,
    Buffer.from(word).toString("base64"),
  ]);
  await assertKeptSecret(stage.admin, { namespace: stage.namespace, resources: [webhookSubscriptions], words });
});
