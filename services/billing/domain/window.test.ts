import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { afterInbound, closed, isOpen, type Window } from "./window.ts";

function day(n: number, time: string): Date {
  return new Date(`2026-03-0${n}T${time}Z`);
}

function open(closesAt: Date): Window {
  return { state: "open", closesAt };
}

type Event = { at: Date; now: Date };
const inbound = (at: Date, now: Date = at): Event => ({ at, now });

const cases: [sentence: string, before: Window, events: Event[], after: Window][] = [
  ["a message opens a closed window for 24 hours", closed, [inbound(day(1, "10:00"))], open(day(2, "10:00"))],
  ["each message prolongs it", open(day(2, "10:00")), [inbound(day(1, "18:00"))], open(day(2, "18:00"))],
  [
    "an older message does not shorten it",
    open(day(2, "18:00")),
    [inbound(day(1, "09:00"), day(1, "19:00"))],
    open(day(2, "18:00")),
  ],
  ["a late message opens only the rest", closed, [inbound(day(1, "10:00"), day(2, "09:00"))], open(day(2, "10:00"))],
  ["a message one day old opens nothing", closed, [inbound(day(1, "10:00"), day(2, "10:00"))], closed],
  [
    "a message one day old but a millisecond opens that millisecond",
    closed,
    [inbound(day(1, "10:00"), day(2, "09:59:59.999"))],
    open(day(2, "10:00")),
  ],
  [
    "the same message again changes nothing",
    open(day(2, "10:00")),
    [inbound(day(1, "10:00"), day(1, "12:00"))],
    open(day(2, "10:00")),
  ],
  [
    "a batch in wrong order ends at the latest",
    closed,
    [
      inbound(day(1, "10:05"), day(1, "10:06")),
      inbound(day(1, "10:01"), day(1, "10:06")),
      inbound(day(1, "10:03"), day(1, "10:06")),
    ],
    open(day(2, "10:05")),
  ],
  ["a time from the future is cut to now", closed, [inbound(day(1, "12:00"), day(1, "10:00"))], open(day(2, "10:00"))],
  ["a clock one minute ahead is believed", closed, [inbound(day(1, "10:01"), day(1, "10:00"))], open(day(2, "10:01"))],
  ["a window long closed opens again", open(day(2, "10:00")), [inbound(day(5, "10:00"))], open(day(6, "10:00"))],
  [
    "an old message leaves a window that has ended as it was",
    open(day(2, "10:00")),
    [inbound(day(1, "12:00"), day(3, "10:00"))],
    open(day(2, "10:00")),
  ],
];

for (const [sentence, before, events, after] of cases) {
  test(sentence, () => {
    const result = events.reduce((window, { at, now }) => afterInbound(window, at, now), before);
    assert.deepEqual(result, after);
  });
}

const judgements: [sentence: string, window: Window, now: Date, open: boolean][] = [
  ["the closing instant is closed", open(day(2, "10:00")), day(2, "10:00"), false],
  ["one millisecond earlier is open", open(day(2, "10:00")), day(2, "09:59:59.999"), true],
  ["a window that never opened is closed", closed, day(1, "10:00"), false],
  ["it closed between accept and claim", open(day(2, "10:00")), day(2, "10:00:01"), false],
];

for (const [sentence, window, now, expected] of judgements) {
  test(sentence, () => assert.equal(isOpen(window, now), expected));
}

test("the order in which messages arrive does not matter, and a repeat changes nothing", () => {
  const now = day(2, "10:00");
  const minutes = fc.array(fc.integer({ min: 0, max: 48 * 60 }), { maxLength: 20 });
  const fold = (ages: number[]): Window =>
    ages.reduce((window, age) => afterInbound(window, new Date(now.getTime() - age * 60_000), now), closed);
  fc.assert(fc.property(minutes, (ages) => assert.deepEqual(fold([...ages, ...ages].reverse()), fold(ages))));
});
