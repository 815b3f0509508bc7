import assert from "node:assert/strict";
import { test } from "node:test";
import { decideSubmission, type SubmissionFacts } from "./submission.ts";

const now = new Date("2026-11-23T12:00:00Z");
const text = { field: "BODY.text", declared: '"a"', observed: '"b"' };
const category = { field: "category", declared: '"UTILITY"', observed: '"MARKETING"' };
const ttl = { field: "message_send_ttl_seconds", declared: "600", observed: "900" };
const format = { field: "parameter_format", declared: '"NAMED"', observed: '"POSITIONAL"' };

type Observed = NonNullable<SubmissionFacts["observed"]>;

const approved: Observed = {
  status: "APPROVED",
  differences: [text],
  isEditable: true,
  notEditableBecause: "",
  editableAt: undefined,
};
const locked = { isEditable: false, notEditableBecause: "it is away" };
const hour = 3_600_000;

type Case = [sentence: string, facts: Partial<SubmissionFacts>, decided: string];

const cases: Case[] = [
  ["what is not there is created", { observed: undefined }, "create"],
  ["but not by one that only observes", { policy: "Observe", observed: undefined }, "none Missing"],
  ["what is as declared stays", { observed: { ...approved, differences: [] } }, "none AsDeclared"],
  ["a difference is edited back", { observed: approved }, "edit components"],
  ["but not by one that only observes", { policy: "Observe", observed: approved }, "none Observed"],
  ["within the limit it waits", { observed: { ...approved, ...locked, editableAt: now } }, "wait EditLimit 12:00"],
  ["in review it waits", { observed: { ...approved, ...locked, status: "PENDING" } }, "wait InReview"],
  ["in appeal too", { observed: { ...approved, ...locked, status: "IN_APPEAL" } }, "wait InReview"],
  ["a disabled one stays", { observed: { ...approved, ...locked, status: "DISABLED" } }, "never NotEditable"],
  ["a state of tomorrow too", { observed: { ...approved, ...locked, status: "SLEEPING" } }, "never NotEditable"],
  [
    "the category of an approved one stays",
    { observed: { ...approved, differences: [category] } },
    "never CategoryFixed",
  ],
  ["its text does not, beside it", { observed: { ...approved, differences: [category, text] } }, "edit components"],
  [
    "that of a rejected one is edited with the text",
    { observed: { ...approved, status: "REJECTED", differences: [category, text] } },
    "edit category components",
  ],
  ["or alone", { observed: { ...approved, status: "PAUSED", differences: [category] } }, "edit category"],
  ["a time to live is edited", { observed: { ...approved, differences: [ttl] } }, "edit messageTtl"],
  ["beside the text too", { observed: { ...approved, differences: [ttl, text] } }, "edit components messageTtl"],
  [
    "but not under another category than declared",
    { observed: { ...approved, differences: [category, ttl] } },
    "never CategoryFixed",
  ],
  [
    "unless that is edited with it",
    { observed: { ...approved, status: "PAUSED", differences: [category, ttl] } },
    "edit category messageTtl",
  ],
  ["the format stays, whatever else", { observed: { ...approved, differences: [text, format] } }, "never FormatFixed"],
  [
    "a rejected one waits for another text",
    { observed: { ...approved, status: "REJECTED", differences: [category] }, submittedMsAgo: 100 * hour },
    "none RejectedAsDeclared",
  ],
  [
    "what differs at once is what WhatsApp makes of it",
    { observed: approved, submittedMsAgo: 60_000 },
    "none KeptByWhatsApp",
  ],
  [
    "or what differs in its review",
    { observed: { ...approved, ...locked, status: "PENDING" }, submittedMsAgo: 10 * hour },
    "none KeptByWhatsApp",
  ],
  ["and is kept", { observed: approved, submittedMsAgo: 100 * hour, isKept: true }, "none KeptByWhatsApp"],
  ["what differs later is another's doing", { observed: approved, submittedMsAgo: hour }, "edit components"],
];
for (const [sentence, facts, decided] of cases) {
  test(sentence, () => {
    const base: SubmissionFacts = { policy: "Enforce", observed: approved, submittedMsAgo: undefined, isKept: false };
    assert.equal(inWords(decideSubmission({ ...base, ...facts })), decided);
  });
}

function inWords(submission: ReturnType<typeof decideSubmission>): string {
  switch (submission.kind) {
    case "create":
      return "create";
    case "edit":
      return ["edit", ...(["category", "components", "messageTtl"] as const).filter((part) => submission[part])].join(
        " ",
      );
    case "wait":
      return `wait ${submission.why} ${submission.until?.toISOString().slice(11, 16) ?? ""}`.trim();
    case "never":
    case "none":
      return `${submission.kind} ${submission.why}`;
  }
}
