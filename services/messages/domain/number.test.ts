import assert from "node:assert/strict";
import { test } from "node:test";
import { type Declared, type DeclaredSpec, decideNumber, isSameNumber, type PhoneNumber } from "./number.ts";

const nothing: DeclaredSpec = {
  messagesPerSecond: 0,
  unknownPolicy: "",
  unknownTimeoutSeconds: 0,
  queueLimit: 0,
  defaultTtlSeconds: 0,
  contentPolicy: "",
};
const declared: Declared = {
  phoneNumberId: "101",
  wabaId: "500",
  displayPhoneNumber: "4930101",
  name: "main",
  spec: nothing,
};
const defaults = {
  messagesPerSecond: 20,
  unknownPolicy: "fail",
  unknownTimeoutSeconds: 600,
  queueLimit: 100_000,
  defaultTtlSeconds: 2_592_000,
  contentPolicy: "store",
};

const specs: [sentence: string, spec: DeclaredSpec | undefined, expected: object][] = [
  ["a declaration that says nothing has the defaults", nothing, defaults],
  ["so has one without a spec", undefined, defaults],
  [
    "what it says holds",
    { ...nothing, messagesPerSecond: 80, unknownPolicy: "resend" },
    { ...defaults, messagesPerSecond: 80, unknownPolicy: "resend" },
  ],
];
for (const [sentence, spec, expected] of specs) {
  test(sentence, () =>
    assert.deepEqual(decideNumber({ ...declared, spec }), { number: { ...declared, spec: expected } }),
  );
}

const faults: [sentence: string, given: Partial<Declared>, fault: RegExp][] = [
  ["an id is digits", { phoneNumberId: "main" }, /^phone_number_id/],
  ["so is the account's", { wabaId: "" }, /^waba_id/],
  ["a phone number has no plus", { displayPhoneNumber: "+4930101" }, /^display_phone_number/],
  ["and no leading zero", { displayPhoneNumber: "030101" }, /^display_phone_number/],
  ["a policy is a known word", { spec: { ...nothing, unknownPolicy: "hope" } }, /^unknown_policy .* hope$/],
  ["so is the other one", { spec: { ...nothing, contentPolicy: "shred" } }, /^content_policy/],
  ["a pace has a bound", { spec: { ...nothing, messagesPerSecond: 1_001 } }, /^messages_per_second .* 1000$/],
  ["a life has a bound", { spec: { ...nothing, defaultTtlSeconds: 2_592_001 } }, /^default_ttl_seconds/],
];
for (const [sentence, given, fault] of faults) {
  test(sentence, () => {
    const decision = decideNumber({ ...declared, ...given });
    assert.match("fault" in decision ? decision.fault : "none", fault);
  });
}

test("declarations differ where any word does", () => {
  const decision = decideNumber(declared);
  assert.ok("number" in decision);
  const { number } = decision;
  assert.ok(isSameNumber(number, { ...number, spec: { ...number.spec } }));
  const changed: PhoneNumber[] = [
    { ...number, name: "other" },
    { ...number, wabaId: "501" },
    { ...number, displayPhoneNumber: "4930102" },
    { ...number, spec: { ...number.spec, queueLimit: 5 } },
    { ...number, spec: { ...number.spec, contentPolicy: "pass_through" } },
  ];
  for (const other of changed) assert.ok(!isSameNumber(number, other));
});
