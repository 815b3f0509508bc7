import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ManifestError, readManifests } from "./manifests.ts";
import { valuesOf } from "./resources.ts";

const samples = new URL("../samples/", import.meta.url).pathname;

function faultsOf(t: TestContext, extra: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-manifests-"));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(samples, folder, { recursive: true });
  writeFileSync(join(folder, "x.yaml"), extra);
  try {
    readManifests(folder);
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    return error.faults.map((fault) => fault.replaceAll(/[^ ]*heliograph-manifests-\w+\//g, ""));
  }
  return [];
}

function numberYaml(spec: string, name = "extra"): string {
  return `apiVersion: heliograph.dev/v1alpha1
kind: WhatsAppNumber
metadata: { name: ${name} }
spec:
  accountRef: { name: fjord-coffee }
${spec.replaceAll(/^/gm, "  ")}`;
}

function subscriptionYaml(spec: string): string {
  return `apiVersion: heliograph.dev/v1alpha1
kind: WebhookSubscription
metadata: { name: extra }
spec:
${spec.replaceAll(/^/gm, "  ")}`;
}

const good = 'phoneNumberId: "1"\nphoneNumber: "+15550100009"';
const signed = "url: https://example.com/hook\nsecretRef: { name: fjord-coffee, key: appSecret }";

test("the samples are read with defaults filled in and secrets decoded", () => {
  const { accounts, numbers, subscriptions, secrets } = readManifests(samples);
  assert.deepEqual(
    accounts.map(({ metadata, spec }) => [metadata.name, spec.wabaId]),
    [["fjord-coffee", "102290129340398"]],
  );
  assert.deepEqual(
    numbers.map(({ metadata, spec }) => [metadata.name, spec.phoneNumberId, spec.phoneNumber, spec.messagesPerSecond]),
    [
      ["orders", "106540352242922", "+15550100001", 20],
      ["care", "106540352242923", "+15550100002", 20],
    ],
  );
  assert.deepEqual(
    subscriptions.map(({ spec }) => [spec.dialect, spec.keepTryingSeconds, spec.concurrency]),
    [["Cloud", 345_600, 16]],
  );
  assert.deepEqual(Object.keys(secrets.get("fjord-coffee") ?? {}), ["accessToken", "appSecret", "verifyToken"]);
});

const cases: [sentence: string, yaml: string, faults: string[]][] = [
  ["a good number", numberYaml(good), []],
  ["an empty document", `---\n---\n${numberYaml(good)}`, []],
  [
    "a value above its maximum",
    numberYaml(`${good}\nmessagesPerSecond: 1001`),
    ["x.yaml: WhatsAppNumber/extra: spec.messagesPerSecond must be <= 1000"],
  ],
  ["a missing field", numberYaml('phoneNumberId: "1"'), ["x.yaml: WhatsAppNumber/extra: spec.phoneNumber is required"]],
  [
    "a field that is not known",
    numberYaml(`${good}\nmessagePerSecond: 5`),
    ["x.yaml: WhatsAppNumber/extra: spec.messagePerSecond is not a known field"],
  ],
  [
    "an id without quotes, which YAML reads as a number",
    numberYaml('phoneNumberId: 1\nphoneNumber: "+15550100009"'),
    ["x.yaml: WhatsAppNumber/extra: spec.phoneNumberId must be string"],
  ],
  [
    "a phone number without its plus",
    numberYaml('phoneNumberId: "1"\nphoneNumber: "15550100009"'),
    ["x.yaml: WhatsAppNumber/extra: spec.phoneNumber must be a phone number in E.164 form, such as +15550100001"],
  ],
  [
    "a word that is not in the list",
    numberYaml(`${good}\nunknownPolicy: resend`),
    ["x.yaml: WhatsAppNumber/extra: spec.unknownPolicy must be one of Fail, Resend"],
  ],
  [
    "two faults in one resource, a line each",
    numberYaml(`${good}\nqueueLimit: 0\ndesiredState: Off`),
    [
      "x.yaml: WhatsAppNumber/extra: spec.desiredState must be one of Connected, Disconnected",
      "x.yaml: WhatsAppNumber/extra: spec.queueLimit must be >= 1",
    ],
  ],
  [
    "a name that Kubernetes refuses",
    numberYaml(good, "Orders_2"),
    [
      "x.yaml: WhatsAppNumber/Orders_2: metadata.name must be small letters, digits, '-' and '.', with a letter or digit first and last",
    ],
  ],
  [
    "a URL that is none of http",
    subscriptionYaml(signed.replace("https:", "ftp:")),
    [
      "x.yaml: WebhookSubscription/extra: spec.url must be an http or https URL, without user name, password and #fragment",
    ],
  ],
  [
    "a Secret's data that is not base64",
    "apiVersion: v1\nkind: Secret\nmetadata: { name: plain }\ndata: { good: b25l, bad: my-token }",
    ["x.yaml: Secret/plain: data.bad must be base64; plain text goes under stringData"],
  ],
  [
    "a name that is taken",
    numberYaml(good, "orders"),
    ["x.yaml: WhatsAppNumber/orders: is declared already in numbers.yaml"],
  ],
  [
    "a phone number that is taken",
    numberYaml('phoneNumberId: "1"\nphoneNumber: "+15550100001"'),
    ["x.yaml: WhatsAppNumber/extra: spec.phoneNumber is that of WhatsAppNumber/orders in numbers.yaml"],
  ],
  [
    "an account that is not there",
    numberYaml(good).replace("fjord-coffee", "nobody"),
    ["x.yaml: WhatsAppNumber/extra: spec.accountRef.name: no WhatsAppBusinessAccount is named nobody"],
  ],
  [
    "a Secret that is not there",
    numberYaml(`${good}\ncredentialsRef: { name: nothing }`),
    ["x.yaml: WhatsAppNumber/extra: spec.credentialsRef.name: no Secret is named nothing"],
  ],
  [
    "a Secret without the key",
    subscriptionYaml(signed.replace("appSecret", "other")),
    ["x.yaml: WebhookSubscription/extra: spec.secretRef.name: Secret fjord-coffee has no key other"],
  ],
  [
    "a number that a subscription names and nobody declares",
    subscriptionYaml(`${signed}\nnumberRefs: [{ name: orders }, { name: bills }]`),
    ["x.yaml: WebhookSubscription/extra: spec.numberRefs[1].name: no WhatsAppNumber is named bills"],
  ],
  [
    "the same number twice in a subscription",
    subscriptionYaml(`${signed}\nnumberRefs: [{ name: orders }, { name: orders }]`),
    ["x.yaml: WebhookSubscription/extra: spec.numberRefs has an item twice"],
  ],
  [
    "an address with a password in it",
    subscriptionYaml(signed.replace("example.com", "me:word@example.com")),
    [
      "x.yaml: WebhookSubscription/extra: spec.url must be an http or https URL, without user name, password and #fragment",
    ],
  ],
  [
    "a kind of another API",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: settings }",
    [
      "x.yaml: ConfigMap/settings: apiVersion v1 with kind ConfigMap is not known here, known are Secret (v1), " +
        "WhatsAppBusinessAccount (heliograph.dev/v1alpha1), WhatsAppNumber (heliograph.dev/v1alpha1), " +
        "WebhookSubscription (heliograph.dev/v1alpha1)",
    ],
  ],
  [
    "a document that is no resource",
    "hello",
    [
      "x.yaml: document at line 1: apiVersion (none) with kind (none) is not known here, known are Secret (v1), " +
        "WhatsAppBusinessAccount (heliograph.dev/v1alpha1), WhatsAppNumber (heliograph.dev/v1alpha1), " +
        "WebhookSubscription (heliograph.dev/v1alpha1)",
    ],
  ],
  [
    "a file that is no YAML",
    "a: b\nc: [",
    ["x.yaml: line 2: Flow sequence in block collection must be sufficiently indented and end with a ]"],
  ],
];

for (const [sentence, yaml, faults] of cases) {
  test(`${sentence}: ${faults.length === 0 ? "accepted" : "refused in words"}`, (t) =>
    assert.deepEqual(faultsOf(t, yaml), faults));
}

test("a folder that is not there, or holds no manifests, is one clear line", () => {
  assert.throws(() => readManifests("/nowhere"), { message: /^\/nowhere: there is no such folder; --numbers / });
  assert.throws(() => readManifests(new URL(".", import.meta.url).pathname), {
    message: /no manifests \(\.yaml files\) here$/,
  });
});

test("a folder without a number is refused: there is nothing to run", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-manifests-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "secret.yml"), "apiVersion: v1\nkind: Secret\nmetadata: { name: s }");
  assert.throws(() => readManifests(folder), { message: `${folder}: no WhatsAppNumber is declared` });
});

test("stringData wins over data, which is base64", () => {
  const secret = {
    kind: "Secret",
    metadata: { name: "s" },
    data: { a: "b25l", b: "dHdv" },
    stringData: { b: "three" },
  } as const;
  assert.deepEqual(valuesOf(secret), { a: "one", b: "three" });
});
