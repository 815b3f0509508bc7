import assert from "node:assert/strict";
import { test } from "node:test";
import type { Explanation, Pace, Verdict } from "./explain.ts";
import { type Headroom, summarize } from "./explain-summary.ts";

const now = new Date("2026-03-02T10:00:00.000Z");
const second = 1_000;
const day = 86_400 * second;
const after = (ms: number): Date => new Date(now.getTime() + ms);

function one(verdict: Verdict, earliestAt?: Date): Explanation {
  return {
    recipient: "1",
    lane: "bulk",
    verdict,
    earliestAt,
    waitsFor: "",
    remedy: "",
    window: undefined,
    category: "MARKETING",
  };
}

const allowed = (at?: Date): Explanation => one({ verdict: "allowed" }, at);
const refused = (reason: string): Explanation => one({ verdict: "refused", reason, details: "" });
const unknown = (reason: string): Explanation => one({ verdict: "unknown", reason, details: "" });
const times = (count: number, make: () => Explanation): Explanation[] => Array.from({ length: count }, make);

const pace: Pace = { state: "known", messagesPerSecond: 10, restingReason: "", restingMs: 0 };
const limit250: Headroom = { limit: 250, used: 0, usedAfter: 250 };

const cases: [
  sentence: string,
  explanations: Explanation[],
  given: { pace?: Pace; headroom?: Headroom },
  expected: [withinDay: number, lastAllowedAt: Date | undefined, lastAt: Date | undefined],
][] = [
  ["nothing allowed has no last", [refused("window_closed")], {}, [0, undefined, undefined]],
  [
    "the last of the allowed is the last",
    [allowed(after(second)), allowed(now)],
    {},
    [2, after(second), after(second)],
  ],
  [
    "what goes in more than a day is not of today",
    [allowed(now), allowed(after(day))],
    {},
    [1, after(day), after(day)],
  ],
  ["one whose time nobody knows hides the last", [allowed(now), allowed()], {}, [1, undefined, undefined]],
  [
    "up to a limit's worth goes a day after the last allowed one",
    [allowed(after(second)), ...times(250, () => refused("limit_reached"))],
    { headroom: limit250 },
    [1, after(second), after(second + day + 24_900)],
  ],
  [
    "one more takes another day",
    [allowed(after(second)), ...times(251, () => refused("limit_reached"))],
    { headroom: limit250 },
    [1, after(second), after(second + 2 * day)],
  ],
  [
    "without the pace the end is not known",
    [allowed(), refused("limit_reached")],
    { headroom: limit250, pace: { state: "away" } },
    [0, undefined, undefined],
  ],
  ["nor without the limit", [allowed(now), refused("limit_reached")], {}, [1, now, undefined]],
];

for (const [sentence, explanations, given, expected] of cases) {
  test(sentence, () => {
    const summary = summarize(explanations, { pace, headroom: undefined, ...given }, now);
    assert.deepEqual([summary.withinDay, summary.lastAllowedAt, summary.lastAt], expected);
  });
}

test("refusals and open verdicts are counted by reason, most first", () => {
  const explanations = [
    refused("window_closed"),
    ...times(2, () => refused("limit_reached")),
    unknown("billing"),
    allowed(now),
  ];
  const {
    total,
    allowed: may,
    refused: by,
    unknown: open,
  } = summarize(explanations, { pace, headroom: limit250 }, now);
  assert.deepEqual([total, may], [5, 1]);
  assert.deepEqual(by, [
    { reason: "limit_reached", count: 2 },
    { reason: "window_closed", count: 1 },
  ]);
  assert.deepEqual(open, [{ reason: "billing", count: 1 }]);
});
