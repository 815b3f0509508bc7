import assert from "node:assert/strict";
import { test } from "node:test";
import { explain, type Explanation, type Known, type Pace, type Situation } from "./explain.ts";

const now = new Date("2026-03-02T10:00:00.000Z");
const after = (ms: number): Date => new Date(now.getTime() + ms);
const hour = 3_600_000;

const open = { closesAt: after(hour) };
const never = { closesAt: undefined };
const approved = { state: "known", status: "APPROVED", category: "UTILITY" } as const;
const full = { state: "refused", reason: "limit_reached" } as const;

const text: Known = {
  recipient: "12025550101",
  lane: "reply",
  subject: { kind: "text", expiresAt: after(hour) },
  check: undefined,
  isOverloaded: false,
  facts: { window: open },
  limitFreeAt: undefined,
  pairWaitMs: 0,
  heldUntil: undefined,
};
const template: Known = {
  ...text,
  subject: { kind: "template", expiresAt: after(hour) },
  check: { kind: "fits" },
  facts: { template: approved, window: never, limit: { state: "held" } },
};
const bulk: Known = { ...template, lane: "bulk" };

const sending: Pace = { state: "known", messagesPerSecond: 20, restingReason: "", restingMs: 0 };
const resting: Pace = { ...sending, restingReason: "token_refused", restingMs: 30_000 };
const probing: Pace = { ...sending, restingReason: "upstream_silent" };

/** The verdict in a word, ms until it may go, and what it waits for. */
function briefly(situation: Situation): string[] {
  return explain(situation, now).map(({ verdict, earliestAt, waitsFor }) => {
    const word = verdict.verdict === "allowed" ? "allowed" : `${verdict.verdict} ${verdict.reason}`;
    const at = earliestAt === undefined ? "never" : `+${earliestAt.getTime() - now.getTime()}`;
    return [word, at, waitsFor].join(" ").trim();
  });
}

const idle = { reply: 0, bulk: 0 };
const cases: [sentence: string, situation: Partial<Situation>, expected: string[]][] = [
  ["a text in an open window goes at once", { messages: [text] }, ["allowed +0"]],
  [
    "outside it the window decides, and only the user can open it",
    { messages: [{ ...text, facts: { window: never } }] },
    ["refused window_closed never"],
  ],
  [
    "what would be refused at once is told first",
    {
      messages: [
        {
          ...template,
          check: { kind: "refused", reason: "template_parameter_count", details: "" },
          isOverloaded: true,
        },
      ],
    },
    ["refused template_parameter_count never"],
  ],
  ["then a full queue", { messages: [{ ...template, isOverloaded: true, facts: {} }] }, ["refused overloaded never"]],
  [
    "then the rule of admission",
    { messages: [{ ...template, facts: { ...template.facts, template: { ...approved, status: "PAUSED" } } }] },
    ["refused template_paused never"],
  ],
  [
    "over the limit the first free place is told",
    { messages: [{ ...template, facts: { ...template.facts, limit: full }, limitFreeAt: after(hour) }] },
    ["refused limit_reached +3600000"],
  ],
  [
    "parameters that nobody could check leave it open",
    { messages: [{ ...template, check: { kind: "unknown" } }] },
    ["unknown templates never"],
  ],
  [
    "a peer that is away leaves it open: templates",
    { messages: [{ ...template, facts: { window: never } }] },
    ["unknown templates never"],
  ],
  ["billing", { messages: [{ ...text, facts: {} }] }, ["unknown billing never"]],
  ["quality", { messages: [{ ...template, facts: { template: approved, window: never } }] }, ["unknown quality never"]],
  [
    "an open window needs no quality",
    { messages: [{ ...template, facts: { template: approved, window: open } }] },
    ["allowed +0"],
  ],
  [
    "a reply goes after the replies before it",
    { messages: [text], ahead: { reply: 40, bulk: 900 } },
    ["allowed +2000 pace"],
  ],
  ["bulk after everything", { messages: [bulk], ahead: { reply: 40, bulk: 60 } }, ["allowed +5000 pace"]],
  [
    "the request's own messages count, refused ones do not",
    { messages: [bulk, { ...bulk, facts: { ...bulk.facts, limit: full } }, bulk, text, bulk] },
    ["allowed +0", "refused limit_reached never", "allowed +50 pace", "allowed +0", "allowed +150 pace"],
  ],
  ["the pair waits", { messages: [{ ...text, pairWaitMs: 6_000 }] }, ["allowed +6000 pair"]],
  [
    "an earlier message that waits goes first",
    { messages: [{ ...text, pairWaitMs: 6_000, heldUntil: after(9_000) }] },
    ["allowed +9000 behind_earlier"],
  ],
  ["a hold that is over holds nothing", { messages: [{ ...text, heldUntil: after(-1) }] }, ["allowed +0"]],
  ["a resting number waits for its rest", { messages: [text], pace: resting }, ["allowed +30000 token_refused"]],
  ["one that tries again may go now", { messages: [text], pace: probing }, ["allowed +0 upstream_silent"]],
  [
    "without a connection nobody knows when",
    { messages: [text], pace: { state: "disconnected" } },
    ["allowed never number_disconnected"],
  ],
  ["nor when it does not answer", { messages: [text], pace: { state: "away" } }, ["allowed never connection_away"]],
];

for (const [sentence, situation, expected] of cases) {
  test(sentence, () => assert.deepEqual(briefly({ messages: [], pace: sending, ahead: idle, ...situation }), expected));
}

test("every refusal and every wait has a remedy, and what goes at once needs none", () => {
  for (const [, situation] of cases) {
    const explained: Explanation[] = explain({ messages: [], pace: sending, ahead: idle, ...situation }, now);
    for (const one of explained) {
      const isFree = one.verdict.verdict === "allowed" && one.waitsFor === "";
      assert.equal(one.remedy === "", isFree, JSON.stringify(one));
    }
  }
});

test("category and window are told where they are known", () => {
  const [first, second, third] = explain(
    { messages: [text, template, { ...text, facts: {} }], pace: sending, ahead: idle },
    now,
  );
  assert.deepEqual([first?.category, first?.window], ["SERVICE", { isOpen: true, closesAt: after(hour) }]);
  assert.deepEqual([second?.category, second?.window], ["UTILITY", { isOpen: false, closesAt: undefined }]);
  assert.equal(third?.window, undefined);
});
