import assert from "node:assert/strict";
import { test } from "node:test";
import { deregister, neverTried, register, type Registration } from "./registration.ts";

const secondMs = 1_000;
const hourMs = 3_600 * secondMs;
const start = 1_000 * hourMs;

type Step = [what: "right" | "wrong" | "deregister", afterMs: number, code: number | undefined];

const cases: [sentence: string, pin: string | undefined, steps: Step[]][] = [
  [
    "the first PIN becomes the number's",
    undefined,
    [
      ["right", 0, undefined],
      ["wrong", 0, 133005],
      ["right", 0, undefined],
    ],
  ],
  [
    "a wrong PIN",
    "111111",
    [
      ["wrong", 0, 133005],
      ["right", 6_000, undefined],
    ],
  ],
  [
    "a wrong PIN too soon after another",
    "111111",
    [
      ["wrong", 0, 133005],
      ["wrong", 4_999, 133009],
      ["wrong", 1, 133005],
    ],
  ],
  [
    "a wrong PIN, the right one at once",
    "111111",
    [
      ["wrong", 0, 133005],
      ["right", 1, undefined],
    ],
  ],
  [
    "five wrong ones lock for an hour, also for the right one",
    "111111",
    [
      ...Array.from({ length: 5 }, (): Step => ["wrong", 10_000, 133005]),
      ["right", 10_000, 133008],
      ["right", hourMs - 10_000, undefined],
    ],
  ],
  [
    "ten in 72 hours, then none for 72 hours",
    "111111",
    [
      ...Array.from({ length: 5 }, (): Step[] => [
        ["right", 1, undefined],
        ["deregister", 1, undefined],
      ]).flat(),
      ["right", hourMs, 133016],
      ["deregister", 71 * hourMs, 133016],
      ["right", hourMs, undefined],
    ],
  ],
  [
    "tries that are older do not count",
    "111111",
    Array.from({ length: 20 }, (): Step => ["right", 8 * hourMs, undefined]),
  ],
];

for (const [sentence, pin, steps] of cases) {
  test(sentence, () => {
    let registration: Registration = { ...neverTried, pin };
    let at = start;
    for (const [index, [what, afterMs, code]] of steps.entries()) {
      at += afterMs;
      const given = what === "right" ? "111111" : "222222";
      const tried =
        what === "deregister" ? deregister(registration, true, at) : register(registration, given, true, at);
      assert.equal(tried.error?.code, code, `step ${index + 1}`);
      ({ registration } = tried);
    }
  });
}

test("without the code that proves ownership nothing goes", () => {
  assert.equal(register(neverTried, "111111", false, start).error?.code, 133006);
  assert.equal(deregister(neverTried, false, start).error?.code, 133006);
});
