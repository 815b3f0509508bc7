import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decideAdmission,
  type Facts,
  isBusinessInitiated,
  type Subject,
  type TemplateFact,
  type Verdict,
} from "./admission.ts";

const now = new Date("2026-03-02T10:00:00.000Z");
const later = new Date("2026-03-02T10:00:00.001Z");
const open = { closesAt: later };
const closed = { closesAt: now };
const never = { closesAt: undefined };
const held = { state: "held" } as const;

const text: Subject = { kind: "text", expiresAt: undefined };
const template: Subject = { kind: "template", expiresAt: undefined };

function status(word: string): TemplateFact {
  return { state: "known", status: word, category: "UTILITY" };
}

const allow: Verdict = { verdict: "allow" };

/** Details are for people; the tables look at what is decided. */
function briefly(verdict: Verdict): string {
  if (verdict.verdict === "refuse") return verdict.reason;
  return verdict.verdict === "incomplete" ? `needs ${verdict.missing}` : verdict.verdict;
}

const cases: [sentence: string, subject: Subject, facts: Facts, verdict: string][] = [
  ["free-form inside the window goes", text, { window: open }, "allow"],
  ["free-form at the closing instant does not", text, { window: closed }, "window_closed"],
  ["free-form to a user who never wrote does not", text, { window: never }, "window_closed"],
  ["free-form with an unknown window waits for it", text, {}, "needs window"],
  ["a message at its expiry is expired", { ...text, expiresAt: now }, { window: open }, "expire"],
  ["a millisecond before it goes", { ...text, expiresAt: later }, { window: open }, "allow"],
  ["an expired message needs no facts", { ...template, expiresAt: now }, {}, "expire"],
  ["a kind that this version does not know is refused", { ...text, kind: "unsupported" }, {}, "type_unsupported"],
  [
    "a template inside the window needs no place in the limit",
    template,
    { template: status("APPROVED"), window: open },
    "allow",
  ],
  ["outside it does", template, { template: status("APPROVED"), window: closed }, "needs limit"],
  ["with a place it goes", template, { template: status("APPROVED"), window: never, limit: held }, "allow"],
  ["a template that is not known yet is waited for", template, { window: open }, "needs template"],
  ["a template needs the window too", template, { template: status("APPROVED") }, "needs window"],
  [
    "a missing template is refused whatever the window",
    template,
    { template: { state: "missing" } },
    "template_missing",
  ],
  ["a paused template is refused", template, { template: status("PAUSED"), window: open }, "template_paused"],
  ["a disabled template is refused", template, { template: status("DISABLED"), window: open }, "template_disabled"],
  ["a flagged template still goes", template, { template: status("FLAGGED"), window: open }, "allow"],
  [
    "a pending template is refused as not approved",
    template,
    { template: status("PENDING"), window: open },
    "template_missing",
  ],
  ["a rejected one too", template, { template: status("REJECTED"), window: open }, "template_missing"],
  ["a state of tomorrow is not approved", template, { template: status("SLEEPING"), window: open }, "template_missing"],
  [
    "the lasting fault is told before the passing one",
    template,
    { template: status("DISABLED"), window: never, limit: { state: "refused", reason: "limit_reached" } },
    "template_disabled",
  ],
  [
    "over the limit it is refused",
    template,
    { template: status("APPROVED"), window: never, limit: { state: "refused", reason: "limit_reached" } },
    "limit_reached",
  ],
  [
    "a restricted number starts nothing",
    template,
    { template: status("APPROVED"), window: never, limit: { state: "refused", reason: "number_restricted" } },
    "number_restricted",
  ],
  [
    "but it answers",
    template,
    { template: status("APPROVED"), window: open, limit: { state: "refused", reason: "number_restricted" } },
    "allow",
  ],
];

for (const [sentence, subject, facts, verdict] of cases) {
  test(sentence, () => assert.equal(briefly(decideAdmission(subject, facts, now)), verdict));
}

test("a window that closed while the message waited is seen", () => {
  assert.deepEqual(decideAdmission(text, { window: open }, now), allow);
  assert.equal(briefly(decideAdmission(text, { window: open }, later)), "window_closed");
});

const starts: [sentence: string, subject: Subject, facts: Facts, isInitiated: boolean][] = [
  [
    "a template outside the window starts a conversation",
    template,
    { template: status("APPROVED"), window: never },
    true,
  ],
  ["inside it answers", template, { template: status("APPROVED"), window: open }, false],
  ["free-form never starts one", text, { window: never }, false],
  [
    "no place is taken for a template that will be refused",
    template,
    { template: status("PAUSED"), window: never },
    false,
  ],
  ["nor while the window is not known", template, { template: status("APPROVED") }, false],
];

for (const [sentence, subject, facts, isInitiated] of starts) {
  test(sentence, () => assert.equal(isBusinessInitiated(subject, facts, now), isInitiated));
}
