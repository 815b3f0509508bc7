import assert from "node:assert/strict";
import { test } from "node:test";
import { afterEvent, afterLook, afterOutcome, firstKnown, type Known, toTold } from "./known.ts";
import { decideOutcome, type Look, type Outcome } from "./outcome.ts";
import { toWord } from "./standing.ts";

const nowMs = 10_000_000;
const hourMs = 3_600_000;

function refused(code: number): Outcome {
  const error = { code, subcode: undefined, title: "", message: "", details: "" };
  return decideOutcome({ kind: "reply", status: 400, wamid: undefined, error });
}

const taken: Outcome = { outcome: "taken", wamid: "wamid.1" };
const read = (status: string): Look => ({ kind: "read", status, platformType: "", throughputLevel: "" });
const never = firstKnown({ wasRegistered: false, isConflict: false });
const once = firstKnown({ wasRegistered: true, isConflict: false });
const conflict = firstKnown({ wasRegistered: true, isConflict: true });
const sending: Known = { ...once, takenAtMs: nowMs - hourMs };

/** State, word, whether it was registered. */
function briefly({ standing, wasRegistered }: Known): string {
  return [standing.state, toWord(standing), ...(wasRegistered ? ["registered"] : [])].join(" ").replaceAll(/ +/g, " ");
}

const cases: [sentence: string, before: Known, happened: Outcome | Look, after: string][] = [
  ["133010 on a number that never was registered", never, refused(133_010), "resting not_registered"],
  ["133010 on one that was, under whatever holder", once, refused(133_010), "resting conflict registered"],
  ["a message that is taken shows that it is registered", never, taken, "open registered"],
  ["a status does too", never, read("CONNECTED"), "open registered"],
  ["one that says nothing of it does not", never, read("UNKNOWN"), "open "],
  ["a number that never was registered shows it to a look", never, read("DISCONNECTED"), "resting not_registered"],
  ["one that was is another's", once, read("DISCONNECTED"), "resting conflict registered"],
  ["just deregistered here, it may be registered again", sending, { kind: "deregistered" }, "resting not_registered"],
  ["also out of a conflict", conflict, { kind: "deregistered" }, "resting not_registered"],
  ["just registered here, it is known so", never, { kind: "registered" }, "open registered"],
  ["a look does not outweigh messages of the last hour", sending, read("DISCONNECTED"), "open registered"],
  [
    "but those of before",
    { ...sending, takenAtMs: nowMs - hourMs - 1 },
    read("DISCONNECTED"),
    "resting conflict registered",
  ],
  ["trouble of the upstream is for messages to find", never, { kind: "lost", cause: "timeout" }, "open "],
  ["a conflict begins with one message at a time", conflict, read("CONNECTED"), "probing conflict registered"],
  ["and ends with one that is taken", conflict, taken, "open registered"],
];

for (const [sentence, before, happened, expected] of cases) {
  test(sentence, () => {
    const after =
      "outcome" in happened ? afterOutcome(before, happened, nowMs, 0) : afterLook(before, happened, nowMs, 0);
    assert.equal(briefly(after), expected);
  });
}

test("the last holder's conflict counts as met once: the next rest is the second", () => {
  const { standing } = afterOutcome(conflict, refused(133_010), nowMs, 0);
  assert.ok(standing.state === "resting");
  assert.equal(standing.untilMs - nowMs, 10 * 60_000);
});

test("nothing new is the same object", () => {
  assert.equal(afterLook(sending, read("CONNECTED"), nowMs, 0), sending);
  assert.equal(afterLook(sending, { kind: "not_sent", cause: "held_back" }, nowMs, 0), sending);
  assert.equal(afterEvent(sending, { event: "time" }, nowMs, 0), sending);
});

test("the ledger is told why nothing goes and, by the wall clock, until when", () => {
  const now = new Date("2026-03-02T10:00:00Z");
  const known = (standing: Known["standing"]): Known => ({ ...once, standing });
  const resting = { state: "resting", reason: "account_call_limit", failures: 1, untilMs: 61_000 } as const;
  assert.deepEqual(toTold(known(resting), 1_000, now), {
    standing: "",
    restReason: "account_call_limit",
    restsUntil: new Date("2026-03-02T10:01:00Z"),
    wasRegistered: true,
  });
  const probing = { state: "probing", reason: "token_refused", failures: 1 } as const;
  assert.deepEqual(toTold(known(probing), 1_000, now), {
    standing: "token_refused",
    restReason: "token_refused",
    restsUntil: undefined,
    wasRegistered: true,
  });
  const silent = { standing: "", restReason: "", restsUntil: undefined, wasRegistered: false };
  assert.deepEqual(toTold(never, 1_000, now), silent);
});
