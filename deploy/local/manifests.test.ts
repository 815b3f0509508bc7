import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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

function templateYaml(name: string, spec: string): string {
  return `apiVersion: heliograph.dev/v1alpha1
kind: WhatsAppTemplate
metadata: { name: ${name} }
spec:
  accountRef: { name: fjord-coffee }
  language: en_US
  category: Utility
  body:
    text: Hello.
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
    ["x.yaml: WhatsAppNumber/extra: spec.messagesPerSecond: should be less than or equal to 1000"],
  ],
  [
    "a missing field",
    numberYaml('phoneNumberId: "1"'),
    ["x.yaml: WhatsAppNumber/extra: spec.phoneNumber: Required value"],
  ],
  [
    "a field that is not known",
    numberYaml(`${good}\nmessagePerSecond: 5`),
    ['x.yaml: WhatsAppNumber/extra: unknown field "spec.messagePerSecond"'],
  ],
  [
    "an id without quotes, which YAML reads as a number",
    numberYaml('phoneNumberId: 1\nphoneNumber: "+15550100009"'),
    ['x.yaml: WhatsAppNumber/extra: spec.phoneNumberId: must be of type string: "integer"'],
  ],
  [
    "a phone number without its plus",
    numberYaml('phoneNumberId: "1"\nphoneNumber: "15550100009"'),
    ["x.yaml: WhatsAppNumber/extra: spec.phoneNumber: must be a phone number in E.164 form, such as +15550100001"],
  ],
  [
    "a word that is not in the list",
    numberYaml(`${good}\nunknownPolicy: resend`),
    ['x.yaml: WhatsAppNumber/extra: spec.unknownPolicy: supported values: "Fail", "Resend"'],
  ],
  [
    "two faults in one resource, a line each",
    numberYaml(`${good}\nqueueLimit: 0\ndesiredState: Off`),
    [
      'x.yaml: WhatsAppNumber/extra: spec.desiredState: supported values: "Connected", "Disconnected"',
      "x.yaml: WhatsAppNumber/extra: spec.queueLimit: should be greater than or equal to 1",
    ],
  ],
  [
    "a name that Kubernetes refuses",
    numberYaml(good, "Orders_2"),
    [
      "x.yaml: WhatsAppNumber/Orders_2: metadata.name: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', " +
        "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ],
  ],
  [
    "a URL that is none of http",
    subscriptionYaml(signed.replace("https:", "ftp:")),
    [
      "x.yaml: WebhookSubscription/extra: spec.url: must be an http or https URL, without user name, password and fragment",
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
    ['x.yaml: WebhookSubscription/extra: spec.numberRefs[1]: Duplicate value: {"name":"orders"}'],
  ],
  [
    "an address with a password in it",
    subscriptionYaml(signed.replace("example.com", "me:word@example.com")),
    [
      "x.yaml: WebhookSubscription/extra: spec.url: must be an http or https URL, without user name, password and fragment",
    ],
  ],
  [
    "a rule of the CRD that is broken, in the words of the API server",
    numberYaml(`${good}\nunknownPolicy: Resend\nunknownTimeoutSeconds: 60\nmessageTtlSeconds: 30`),
    [
      "x.yaml: WhatsAppNumber/extra: spec.unknownTimeoutSeconds: with unknownPolicy Resend it must be below messageTtlSeconds, " +
        "else nothing is left to send again",
    ],
  ],
  [
    "a PIN that is not there",
    numberYaml(`${good}\nregistration: { pinRef: { name: fjord-coffee, key: pin } }`),
    ["x.yaml: WhatsAppNumber/extra: spec.registration.pinRef.name: Secret fjord-coffee has no key pin"],
  ],
  [
    "an old secret that is not there",
    subscriptionYaml(`${signed}\npreviousSecretRef: { name: fjord-coffee, key: old }`),
    ["x.yaml: WebhookSubscription/extra: spec.previousSecretRef.name: Secret fjord-coffee has no key old"],
  ],
  [
    "a number whose class is not declared: classes are the cluster's",
    numberYaml(`${good}\nconnectionClassName: large`),
    [],
  ],
  ["a template", templateYaml("extra", "name: bills"), []],
  [
    "a template that is declared already, and has an account that is not there",
    `${templateYaml("extra", "name: order_update")}\n---\n${templateYaml("other", "name: bills").replace("fjord-coffee", "nobody")}`,
    [
      "x.yaml: WhatsAppTemplate/extra: spec.name in this account and language is that of WhatsAppTemplate/order-update in templates.yaml",
      "x.yaml: WhatsAppTemplate/other: spec.accountRef.name: no WhatsAppBusinessAccount is named nobody",
    ],
  ],
  [
    "a variable twice in a template",
    templateYaml("extra", "name: bills\nheader: { type: Location }").replace(
      "Hello.",
      'Hi {{1}}.\n    variables: [{ name: "1", example: a }, { name: "1", example: b }]',
    ),
    ['x.yaml: WhatsAppTemplate/extra: spec.body.variables[1]: Duplicate value: {"name":"1"}'],
  ],
  [
    "a kind of another API",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: settings }",
    [
      "x.yaml: ConfigMap/settings: apiVersion v1 with kind ConfigMap is not known here, known are Secret (v1), " +
        "ConnectionClass (heliograph.dev/v1alpha1), WebhookSubscription (heliograph.dev/v1alpha1), " +
        "WhatsAppBusinessAccount (heliograph.dev/v1alpha1), WhatsAppNumber (heliograph.dev/v1alpha1), " +
        "WhatsAppTemplate (heliograph.dev/v1alpha1)",
    ],
  ],
  [
    "a document that is no resource",
    "hello",
    [
      "x.yaml: document at line 1: apiVersion (none) with kind (none) is not known here, known are Secret (v1), " +
        "ConnectionClass (heliograph.dev/v1alpha1), WebhookSubscription (heliograph.dev/v1alpha1), " +
        "WhatsAppBusinessAccount (heliograph.dev/v1alpha1), WhatsAppNumber (heliograph.dev/v1alpha1), " +
        "WhatsAppTemplate (heliograph.dev/v1alpha1)",
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

test("Secrets may stand beside the manifests as pods get them, a folder for each and a file for each key", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-manifests-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const resources = join(folder, "resources");
  const secrets = join(folder, "secrets");
  for (const name of [resources, join(secrets, "fjord", "..2026")]) mkdirSync(name, { recursive: true });
  writeFileSync(
    join(resources, "all.yaml"),
    `apiVersion: heliograph.dev/v1alpha1
kind: WhatsAppBusinessAccount
metadata: { name: fjord-coffee }
spec: { wabaId: "1", credentialsRef: { name: fjord } }
---
${numberYaml(good)}`,
  );
  const keys = { accessToken: "a", appSecret: "b" };
  for (const [key, value] of Object.entries(keys)) writeFileSync(join(secrets, "fjord", key), `${value}\n`);
  writeFileSync(join(secrets, "not-a-secret"), "x");
  assert.throws(() => readManifests(resources, secrets), /Secret fjord has no key verifyToken/);
  writeFileSync(join(secrets, "fjord", "verifyToken"), "c");
  assert.deepEqual([...readManifests(resources, secrets).secrets], [["fjord", { ...keys, verifyToken: "c" }]]);
});
