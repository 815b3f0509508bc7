// What is done for a template and what its status says, state by state; and that a state that is reached is a state of rest.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Stored } from "../kinds.ts";
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppTemplate } from "../api/v1alpha1/whatsapp-template.ts";
import { templateFinalizer } from "../names.ts";
import type { ObservedTemplate, TemplateFacts } from "./facts.ts";
import { planTemplate, type TemplatePlan } from "./plan.ts";
import { transitionsOf } from "./story.ts";

const apiVersion = "heliograph.dev/v1alpha1";
const now = new Date("2026-11-23T12:00:00Z");
const later = (hours: number): Date => new Date(now.getTime() + hours * 3_600_000);

const account: WhatsAppBusinessAccount = {
  apiVersion,
  kind: "WhatsAppBusinessAccount",
  metadata: { name: "fjord" },
  spec: { wabaId: "102", credentialsRef: { name: "c" } },
};

type Parts = { metadata?: Partial<Stored<WhatsAppTemplate>["metadata"]>; spec?: Partial<WhatsAppTemplate["spec"]> };

function template({ metadata, spec }: Parts = {}): Stored<WhatsAppTemplate> {
  return {
    apiVersion,
    kind: "WhatsAppTemplate",
    metadata: { name: "hi", namespace: "n", uid: "u", resourceVersion: "1", generation: 3, ...metadata },
    spec: {
      accountRef: { name: "fjord" },
      name: "hi",
      language: "de",
      category: "Utility",
      parameterFormat: "Positional",
      body: { text: "Hallo" },
      managementPolicy: "Enforce",
      deletionPolicy: "Retain",
      ...spec,
    },
  };
}

function observed(more: Partial<ObservedTemplate> = {}): TemplateFacts["observed"] {
  const value: ObservedTemplate = {
    templateId: "7",
    status: "APPROVED",
    category: "UTILITY",
    quality: "UNKNOWN",
    rejectedReason: "NONE",
    differences: [],
    isEditable: true,
    notEditableBecause: "",
    editableAt: undefined,
    ...more,
  };
  return { kind: "known", value };
}

const nothing: TemplateFacts["observed"] = { kind: "known", value: undefined };
const away: TemplateFacts["observed"] = { kind: "away", service: "templates", why: "no route" };
const text = { field: "BODY.text", declared: '"Hallo"', observed: '"Hi"' };
const category = { field: "category", declared: '"UTILITY"', observed: '"MARKETING"' };

function factsOf(more: Partial<TemplateFacts> = {}): TemplateFacts {
  return {
    template: template(),
    account,
    wabaId: "102",
    accountTwin: undefined,
    twin: undefined,
    isShared: false,
    hash: "h",
    submitted: undefined,
    observed: observed(),
    isBlip: false,
    refusals: {},
    now,
    ...more,
  };
}

/** `Ready=True Approved` and so on, the quiet ones left out. */
function inWords({ status }: TemplatePlan): string {
  const quiet = new Set(["ReconciliationPaused=False", "Reconciling=False", "Stalled=False", "Drifted=False"]);
  return (status?.conditions ?? [])
    .filter((one) => !quiet.has(`${one.type}=${one.status}`))
    .map((one) => `${one.type}=${one.status}/${one.reason}`)
    .join(" ");
}

const doing = ({ actions }: TemplatePlan): string => actions.map(({ kind }) => kind).join(" ");
const refusal = { hash: "h", reason: "NameBlocked", message: "blocked", retryAt: later(6) } as const;
const ok = "Approved=True/Approved";
const has = "Submitted=True/Submitted";

const cases: [sentence: string, facts: Partial<TemplateFacts>, actions: string, conditions: string][] = [
  ["an approved one rests", {}, "", `${ok} Ready=True/Approved ${has}`],
  [
    "one that WhatsApp has not is submitted",
    { observed: nothing },
    "create",
    "Approved=False/Missing Ready=False/Submitting Reconciling=True/Submitting Submitted=False/Submitting",
  ],
  [
    "not by one that only observes",
    { observed: nothing, template: template({ spec: { managementPolicy: "Observe" } }) },
    "",
    "Approved=False/Missing Ready=False/Missing Stalled=True/Missing Submitted=False/Missing",
  ],
  [
    "not while it was refused",
    { observed: nothing, refusals: { submission: refusal } },
    "",
    "Approved=False/Missing Ready=False/NameBlocked Stalled=True/NameBlocked Submitted=False/NameBlocked",
  ],
  [
    "again with another content",
    { observed: nothing, refusals: { submission: { ...refusal, hash: "other" } } },
    "create",
    "Approved=False/Missing Ready=False/Submitting Reconciling=True/Submitting Submitted=False/Submitting",
  ],
  [
    "and after a time",
    { observed: nothing, refusals: { submission: { ...refusal, retryAt: now } } },
    "create",
    "Approved=False/Missing Ready=False/Submitting Reconciling=True/Submitting Submitted=False/Submitting",
  ],
  [
    "without a connected number it waits",
    { observed: nothing, refusals: { submission: { ...refusal, reason: "NoConnectedNumber" } } },
    "",
    "Approved=False/Missing Ready=False/NoConnectedNumber Reconciling=True/NoConnectedNumber Submitted=False/NoConnectedNumber",
  ],
  [
    "one in review is worked on",
    { observed: observed({ status: "PENDING" }) },
    "",
    `Approved=Unknown/InReview Ready=False/InReview Reconciling=True/InReview ${has}`,
  ],
  [
    "a rejected one waits for a person",
    { observed: observed({ status: "REJECTED", rejectedReason: "SCAM" }), submitted: { hash: "h", at: now } },
    "",
    `Approved=False/Rejected Ready=False/Rejected Stalled=True/Rejected ${has}`,
  ],
  [
    "a paused one comes back by itself",
    { observed: observed({ status: "PAUSED" }) },
    "",
    `${ok} Ready=False/PausedByWhatsApp Reconciling=True/PausedByWhatsApp ${has}`,
  ],
  [
    "a disabled one does not",
    { observed: observed({ status: "DISABLED" }) },
    "",
    `${ok} Ready=False/Disabled Stalled=True/Disabled ${has}`,
  ],
  [
    "a word of tomorrow is shown",
    { observed: observed({ status: "SLEEPING" }) },
    "",
    `Approved=Unknown/NotSendable Ready=False/NotSendable Reconciling=True/NotSendable ${has}`,
  ],
  [
    "a difference is edited back",
    { observed: observed({ differences: [text] }) },
    "edit",
    `${ok} Drifted=True/Editing Ready=True/Approved Reconciling=True/Editing ${has}`,
  ],
  [
    "or shown only",
    { observed: observed({ differences: [text] }), template: template({ spec: { managementPolicy: "Observe" } }) },
    "",
    `${ok} Drifted=True/Observed Ready=True/Approved ${has}`,
  ],
  [
    "or later",
    { observed: observed({ differences: [text], isEditable: false, editableAt: later(2) }) },
    "",
    `${ok} Drifted=True/EditLimit Ready=True/Approved Reconciling=True/EditLimit ${has}`,
  ],
  [
    "a category that WhatsApp chose is shown",
    { observed: observed({ differences: [category] }) },
    "",
    `${ok} Drifted=True/CategoryFixed Ready=True/Approved ${has}`,
  ],
  [
    "an edit that was refused waits for a person",
    { observed: observed({ differences: [text] }), refusals: { submission: { ...refusal, reason: "Refused" } } },
    "",
    `${ok} Drifted=True/Refused Ready=True/Approved Stalled=True/Refused ${has}`,
  ],
  [
    "without its account nothing is known",
    { account: undefined, wabaId: undefined, observed: nothing },
    "",
    "Approved=Unknown/AccountMissing Drifted=Unknown/AccountMissing Ready=False/AccountMissing Stalled=True/AccountMissing Submitted=Unknown/AccountMissing",
  ],
  [
    "one of an account that another resource had first does nothing",
    { accountTwin: "other/fjord", observed: nothing },
    "",
    "Approved=Unknown/AccountInUse Drifted=Unknown/AccountInUse Ready=False/AccountInUse Stalled=True/AccountInUse Submitted=Unknown/AccountInUse",
  ],
  [
    "the younger of two does nothing",
    { twin: "n/other", observed: nothing },
    "",
    "Approved=Unknown/TemplateInUse Drifted=Unknown/TemplateInUse Ready=False/TemplateInUse Stalled=True/TemplateInUse Submitted=Unknown/TemplateInUse",
  ],
  [
    "without the service nothing is known",
    { observed: away },
    "",
    "Approved=Unknown/TemplatesAway Drifted=Unknown/TemplatesAway Ready=Unknown/TemplatesAway Reconciling=True/TemplatesAway Submitted=Unknown/TemplatesAway",
  ],
  [
    "a paused resource is left alone",
    { observed: nothing, template: template({ metadata: { annotations: { "heliograph.dev/paused": "true" } } }) },
    "",
    "Ready=Unknown/Paused ReconciliationPaused=True/Paused",
  ],
  [
    "Delete takes a finalizer",
    { template: template({ spec: { deletionPolicy: "Delete" } }) },
    "keepFinalizer",
    `${ok} Ready=True/Approved ${has}`,
  ],
];
for (const [sentence, facts, actions, conditions] of cases) {
  test(sentence, () => {
    const plan = planTemplate(factsOf(facts));
    assert.deepEqual([doing(plan), inWords(plan)], [actions, conditions]);
    assert.equal(plan.retry !== undefined, facts.observed?.kind === "away");
    // With the status written, the same facts say the same: nothing is written at rest.
    const settled = factsOf(facts);
    settled.template = { ...settled.template, ...(plan.status !== undefined && { status: plan.status }) };
    settled.now = later(0.1);
    assert.deepEqual(planTemplate(settled).status, plan.status);
    assert.deepEqual(plan.status && transitionsOf(plan.status, plan.status), []);
  });
}

const dying = (
  spec: Partial<WhatsAppTemplate["spec"]> = {},
  finalizers = [templateFinalizer],
): Partial<TemplateFacts> => ({
  template: template({
    metadata: { deletionTimestamp: now.toISOString(), finalizers },
    spec: { deletionPolicy: "Delete", ...spec },
  }),
});
const failed = { tries: 5, message: "WhatsApp says no", retryAt: now };

const deletions: [sentence: string, facts: Partial<TemplateFacts>, actions: string, reason: string | undefined][] = [
  ["it is deleted at WhatsApp", dying(), "delete", "Deleting"],
  ["gone there, it is let go", { ...dying(), observed: nothing }, "keepFinalizer", undefined],
  [
    "being deleted there too",
    { ...dying(), observed: observed({ status: "PENDING_DELETION" }) },
    "keepFinalizer",
    undefined,
  ],
  ["with Retain it is let go", dying({ deletionPolicy: "Retain" }), "keepFinalizer", undefined],
  ["what is another's account stays", { ...dying(), accountTwin: "other/fjord" }, "keepFinalizer", undefined],
  ["what another resource declares stays", { ...dying(), isShared: true }, "keepFinalizer", undefined],
  [
    "a disabled one cannot be deleted",
    { ...dying(), observed: observed({ status: "DISABLED" }) },
    "",
    "DeletionFailed",
  ],
  [
    "a failure is tried again later",
    { ...dying(), refusals: { deletion: { ...failed, tries: 1, retryAt: later(1) } } },
    "",
    "Deleting",
  ],
  ["and then", { ...dying(), refusals: { deletion: { ...failed, tries: 4 } } }, "delete", "Deleting"],
  ["but not for ever", { ...dying(), refusals: { deletion: failed } }, "", "DeletionFailed"],
  ["it is deleted although its account is gone", { ...dying(), account: undefined }, "delete", "Deleting"],
  [
    "but left after so many tries, for nobody would mend anything",
    { ...dying(), account: undefined, refusals: { deletion: failed } },
    "keepFinalizer",
    undefined,
  ],
  [
    "one that never had an account is let go",
    { ...dying(), account: undefined, wabaId: undefined, observed: nothing },
    "keepFinalizer",
    undefined,
  ],
  ["nor without the service", { ...dying(), observed: away }, "", "TemplatesAway"],
  ["one that is not ours to hold is none of our business", dying({}, []), "", undefined],
];
for (const [sentence, facts, actions, reason] of deletions) {
  test(`deleted: ${sentence}`, () => {
    const plan = planTemplate(factsOf(facts));
    const ready = plan.status?.conditions?.find(({ type }) => type === "Ready");
    assert.deepEqual([doing(plan), ready?.reason], [actions, reason]);
    if (reason === "DeletionFailed" || reason === "TemplatesAway")
      assert.match(ready?.message ?? "", /kubectl -n n patch wat hi .*deletionPolicy.*Retain/);
    const isLeft = plan.actions.some((action) => action.kind === "keepFinalizer" && action.left !== undefined);
    assert.equal(isLeft, sentence.startsWith("but left"));
  });
}

test("a service that was there a moment ago changes nothing that is told", () => {
  const { status } = planTemplate(factsOf());
  assert.ok(status);
  const plan = planTemplate(factsOf({ observed: away, isBlip: true, template: { ...template(), status } }));
  assert.deepEqual([plan.status, plan.retry], [undefined, "no route"]);
});

test("what is known stays while nobody can tell", () => {
  const { status } = planTemplate(factsOf({ observed: observed({ differences: [text] }) }));
  assert.ok(status);
  const plan = planTemplate(factsOf({ observed: away, template: { ...template(), status } }));
  assert.deepEqual([plan.status?.id, plan.status?.state, plan.status?.drift], ["7", "Approved", status.drift]);
});

test("the status has WhatsApp's words as Kubernetes spells them, and the differences", () => {
  const facts = { status: "PENDING_DELETION", quality: "GREEN", rejectedReason: "TAG_CONTENT_MISMATCH" };
  const differences = [category, text, text];
  const { status } = planTemplate(factsOf({ observed: observed({ ...facts, differences, editableAt: later(1) }) }));
  assert.deepEqual(
    { ...status, conditions: [] },
    {
      observedGeneration: 3,
      wabaId: "102",
      id: "7",
      state: "PendingDeletion",
      category: "Utility",
      qualityScore: "Green",
      rejectedReason: "TagContentMismatch",
      nextEditTime: "2026-11-23T13:00:00Z",
      drift: [{ field: "category", declared: "Utility", observed: "Marketing" }, text],
      conditions: [],
    },
  );
});

test("it is looked at again when the edit may go, but at least each hour", () => {
  const waiting = (hours: number) =>
    planTemplate(factsOf({ observed: observed({ differences: [text], isEditable: false, editableAt: later(hours) }) }));
  assert.deepEqual([waiting(0.5).lookAgainMs, waiting(20).lookAgainMs], [1_800_000, 3_600_000]);
});

test("what WhatsApp made of a text is remembered in the status", () => {
  const differing = observed({ differences: [text] });
  const submitted = { hash: "h", at: now };
  const { status } = planTemplate(factsOf({ observed: differing, submitted }));
  assert.ok(status);
  const settled = { template: { ...template(), status }, submitted, now: later(100) };
  assert.equal(doing(planTemplate(factsOf({ ...settled, observed: differing }))), "");
  const other = observed({ differences: [{ ...text, observed: '"Bye"' }] });
  assert.equal(doing(planTemplate(factsOf({ ...settled, observed: other }))), "edit");
});

test("each transition is an event", () => {
  const told = (before: Partial<TemplateFacts> | undefined, after: Partial<TemplateFacts>): string[] => {
    const was = before && planTemplate(factsOf(before)).status;
    const is = planTemplate(factsOf(after)).status;
    return is === undefined ? [] : transitionsOf(was, is).map(({ type, reason }) => `${type} ${reason}`);
  };
  const review = { observed: observed({ status: "PENDING" }), submitted: { hash: "h", at: now } };
  const rejected = { ...review, observed: observed({ status: "REJECTED" }) };
  assert.deepEqual(told(undefined, { observed: nothing }), []);
  assert.deepEqual(told({ observed: nothing }, review), ["Normal Submitted", "Normal InReview"]);
  assert.deepEqual(told(review, { ...review, observed: observed() }), ["Normal Approved"]);
  assert.deepEqual(told(review, rejected), ["Warning Rejected"]);
  assert.deepEqual(told({}, { observed: observed({ differences: [text] }) }), ["Warning Drifted"]);
  assert.deepEqual(told({ observed: observed({ differences: [text] }) }, {}), ["Normal DriftResolved"]);
  assert.deepEqual(told({}, { observed: observed({ category: "MARKETING", differences: [category] }) }), [
    "Warning CategoryChanged",
    "Warning Drifted",
  ]);
});
