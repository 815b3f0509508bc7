import assert from "node:assert/strict";
import { test } from "node:test";
import { decideSend, type SendFacts } from "./send.ts";

const now = 1_000_000;
const empty = { level: 0, at: now };
const facts: SendFacts = {
  recipient: "15550100999",
  displayPhoneNumber: "15550100001",
  numberStatus: "CONNECTED",
  registered: true,
  allowedRecipients: undefined,
  templateError: undefined,
  isTemplate: false,
  windowOpen: true,
  notOnWhatsApp: false,
  throughputLimit: 80,
  throughput: undefined,
  pairLimit: true,
  pair: undefined,
};

const refusals: [sentence: string, differs: Partial<SendFacts>, code: number][] = [
  ["a number that is not registered", { registered: false }, 133010],
  ["a disconnected number", { numberStatus: "DISCONNECTED" }, 133010],
  ["a banned number", { numberStatus: "BANNED", registered: false }, 131031],
  ["a message to oneself", { recipient: "15550100001" }, 131021],
  ["a test number and a user not on its list", { allowedRecipients: ["15550100998"] }, 131030],
  ["a template that does not fit", { templateError: { code: 132000 }, isTemplate: true }, 132000],
  ["the throughput", { throughput: empty }, 130429],
  ["the pair rate", { pair: empty }, 131056],
  ["a lasting fault comes before a passing one", { throughput: empty, recipient: "15550100001" }, 131021],
];
for (const [sentence, differs, code] of refusals) {
  test(`refused: ${sentence}`, () => {
    const verdict = decideSend({ ...facts, ...differs }, now);
    assert.equal(verdict.accepted ? 0 : verdict.error.code, code);
  });
}

const accepted: [sentence: string, differs: Partial<SendFacts>, failsWith: number | undefined][] = [
  ["free-form in an open window arrives", {}, undefined],
  ["free-form outside of it fails later", { windowOpen: false }, 131047],
  ["a template needs no window", { windowOpen: false, isTemplate: true }, undefined],
  ["a user who is not on WhatsApp is told later", { notOnWhatsApp: true, windowOpen: false }, 131026],
  ["a restricted number may answer", { numberStatus: "RESTRICTED" }, undefined],
  ["a restricted number may not start", { numberStatus: "RESTRICTED", isTemplate: true, windowOpen: false }, 131048],
  ["a flagged number may start", { numberStatus: "FLAGGED", isTemplate: true, windowOpen: false }, undefined],
  ["a user on a test number's list", { allowedRecipients: ["15550100999"] }, undefined],
  [
    "without limits empty buckets do not count",
    { throughputLimit: false, throughput: empty, pairLimit: false, pair: empty },
    undefined,
  ],
];
for (const [sentence, differs, failsWith] of accepted) {
  test(`accepted: ${sentence}`, () => {
    const verdict = decideSend({ ...facts, ...differs }, now);
    assert.equal(verdict.accepted, true);
    assert.equal(verdict.accepted ? verdict.failsWith : 0, failsWith);
  });
}

test("a refusal for the pair takes nothing from the throughput", () => {
  const verdict = decideSend({ ...facts, pair: empty }, now);
  assert.equal("throughput" in verdict, false);
});
