import assert from "node:assert/strict";
import { test } from "node:test";
import { dayOf } from "./partitions.ts";
import { isOutlived } from "./retention.ts";

const day = dayOf(new Date("2026-03-02T10:00:00Z"));

const cases: [sentence: string, now: string, expected: boolean][] = [
  ["a day stays as long as its last message is not so old", "2026-04-01T23:59:59Z", false],
  ["it goes within six hours after", "2026-04-02T06:00:00Z", true],
  ["and stays gone", "2026-09-01T00:00:00Z", true],
];
for (const [sentence, now, expected] of cases) {
  test(sentence, () => assert.equal(isOutlived(day, 30, new Date(now)), expected));
}

test("days go at hours of their own", () => {
  const hours = Array.from({ length: 30 }, (_, index) => {
    const one = dayOf(new Date(Date.UTC(2026, 2, 1 + index)));
    for (let minutes = 0; ; minutes += 10) {
      if (isOutlived(one, 0, new Date(one.to.getTime() + minutes * 60_000))) return Math.floor(minutes / 60);
    }
  });
  assert.ok(new Set(hours).size >= 4, hours.join(" "));
  assert.ok(hours.every((hour) => hour <= 6));
});
