// What a schema refuses, on the real API server and in the local runner: the same fields in the same words.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkDocument } from "#local/checkers.ts";
import { sharedKube } from "#test/env/kube.ts";
import { accessKube, installCrds, makeNamespace } from "#test/env/kube-objects.ts";
import { type Api, causesOf, openApi } from "./test-api.ts";
import { type Change, changed, kindCases } from "./test-rules.ts";

const apiVersion = "heliograph.dev/v1alpha1";
let api: Api;
let namespace: string;

before(async () => {
  const kube = await sharedKube();
  await using admin = accessKube(kube);
  await installCrds(admin);
  namespace = await makeNamespace(admin);
  api = openApi(kube);
});
after(() => api[Symbol.asyncDispose]());

const labels = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`label-${index}`, "x"]));
const variables = [
  { name: "1", example: "a" },
  { name: "1", example: "b" },
];

const cases: [sentence: string, kind: string, change: Change][] = [
  ["above the maximum", "WhatsAppNumber", { messagesPerSecond: 1_001 }],
  ["below the minimum", "WhatsAppNumber", { queueLimit: 0 }],
  ["missing", "WhatsAppNumber", { phoneNumber: null }],
  ["missing below", "WhatsAppNumber", { accountRef: { name: null } }],
  ["a number for a text", "WhatsAppNumber", { phoneNumberId: 1 }],
  ["a text for a number", "WhatsAppNumber", { queueLimit: "1" }],
  ["a fraction", "WhatsAppNumber", { queueLimit: 1.5 }],
  ["a text for an object", "WhatsAppNumber", { accountRef: "acme" }],
  ["a list for an object", "WhatsAppNumber", { disruption: [] }],
  ["a word that is not in the list", "WhatsAppNumber", { unknownPolicy: "resend" }],
  ["too long", "WhatsAppNumber", { displayName: "x".repeat(513) }],
  ["too short", "WhatsAppNumber", { displayName: "" }],
  ["not of the pattern", "WhatsAppNumber", { registration: { pinRef: { name: "pins", key: "a b" } } }],
  ["too few items", "WhatsAppTemplate", { buttons: [] }],
  [
    "too many items",
    "WhatsAppTemplate",
    { buttons: Array.from({ length: 11 }, () => ({ type: "QuickReply", text: "a" })) },
  ],
  ["an item of another type", "WhatsAppTemplate", { buttons: ["a"] }],
  ["a key twice", "WhatsAppTemplate", { body: { text: "Hi {{1}}.", variables } }],
  ["an item twice", "WebhookSubscription", { events: ["Messages", "Messages"] }],
  ["too few labels", "ConnectionClass", { nodeSelector: {} }],
  ["too many labels", "ConnectionClass", { nodeSelector: labels }],
  ["a label that is a number", "ConnectionClass", { nodeSelector: { zone: 1 } }],
  ["two faults", "WhatsAppNumber", { messagesPerSecond: 1_001, queueLimit: 0 }],
  ["a fault of a value and a rule that is broken", "WhatsAppNumber", { messagesPerSecond: 0, phoneNumber: "0555" }],
  ["a fault of a type, which hides a rule that is broken", "WhatsAppNumber", { queueLimit: "1", phoneNumber: "0555" }],
  [
    "memory that is none, and the rule that compares it",
    "ConnectionClass",
    { resources: { limits: { memory: "64" } } },
  ],
];

// Said without a field, next to what is wrong.
const asides = [/some validation rules were not checked/, /Checked value must be of type/];

for (const [sentence, kind, change] of cases) {
  test(`${sentence} (${kind})`, async () => {
    const found = kindCases.find((candidate) => candidate.kind === kind);
    assert.ok(found !== undefined);
    const body = changed({ apiVersion, kind, ...found.valid }, { spec: change });
    const place = found.isClusterWide === true ? "" : `/namespaces/${namespace}`;
    const answer = await api.send("POST", `/apis/${apiVersion}${place}/${found.plural}`, {
      body,
      query: { dryRun: "All" },
    });
    const causes = causesOf(answer).filter((cause) => !asides.some((aside) => aside.test(cause)));
    const checked = checkDocument(body);
    assert.ok(causes.length > 0 && "faults" in checked);
    assert.deepEqual(checked.faults.toSorted(), causes.toSorted());
  });
}

test("a name that is none (WhatsAppNumber)", async () => {
  const [numbers] = kindCases;
  assert.ok(numbers !== undefined);
  const body = changed({ apiVersion, kind: numbers.kind, ...numbers.valid }, { metadata: { name: "Orders_2" } });
  const answer = await api.send("POST", `/apis/${apiVersion}/namespaces/${namespace}/${numbers.plural}`, { body });
  assert.deepEqual(checkDocument(body), { faults: causesOf(answer) });
});

test("fields that nobody knows, as kubectl asks for them", async () => {
  const [numbers] = kindCases;
  assert.ok(numbers !== undefined);
  const spec = { typo: 1, registration: { pinRef: { name: "pins", key: "orders", namespace: "other" } } };
  const body = changed({ apiVersion, kind: numbers.kind, ...numbers.valid }, { spec });
  const path = `/apis/${apiVersion}/namespaces/${namespace}/${numbers.plural}`;
  const answer = await api.send("POST", path, { body, query: { dryRun: "All", fieldValidation: "Strict" } });
  const checked = checkDocument(body);
  assert.ok("faults" in checked);
  const words = JSON.stringify(answer.body);
  assert.equal(checked.faults.length, 2);
  for (const fault of checked.faults)
    assert.ok(words.includes(JSON.stringify(fault).slice(1, -1)), `${fault} in ${words}`);
});
