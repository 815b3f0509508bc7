import assert from "node:assert/strict";
import { test } from "node:test";
import { v7 as uuidv7 } from "uuid";
import { dayOf, daysAround, firstMessageId, isClosed, timeOfMessageId } from "./partitions.ts";

const at = new Date("2026-03-02T23:59:59.999Z");

test("a day is a UTC day, from midnight to the next", () => {
  assert.deepEqual(dayOf(at), {
    name: "20260302",
    from: new Date("2026-03-02T00:00:00Z"),
    to: new Date("2026-03-03T00:00:00Z"),
  });
  assert.equal(dayOf(new Date("2026-03-03T00:00:00Z")).name, "20260303");
});

test("partitions are there from yesterday to three days ahead", () => {
  const names = daysAround(at).map(({ name }) => name);
  assert.deepEqual(names, ["20260301", "20260302", "20260303", "20260304", "20260305"]);
});

test("a message id lies in the partition of its time", () => {
  for (const time of ["2026-03-02T00:00:00.000Z", "2026-03-02T12:34:56.789Z", "2026-03-02T23:59:59.999Z"]) {
    const messageId = uuidv7({ msecs: new Date(time).getTime() });
    assert.deepEqual(timeOfMessageId(messageId), new Date(time));
    const { from, to } = dayOf(new Date(time));
    assert.ok(firstMessageId(from) <= messageId && messageId < firstMessageId(to));
  }
});

test("only version 7 has a time", () => {
  assert.equal(timeOfMessageId("3f333df6-90a4-4fda-8dd3-9485d27cee36"), undefined);
  assert.equal(timeOfMessageId("no id"), undefined);
});

const days: [sentence: string, now: string, expected: boolean][] = [
  ["a day is open while its ids are drawn", "2026-03-02T12:00:00Z", false],
  ["and as long as they are taken", "2026-03-04T00:00:00Z", false],
  ["and an hour longer, for clocks that are behind", "2026-03-04T01:00:00Z", false],
  ["then it is closed", "2026-03-04T01:00:00.001Z", true],
];
for (const [sentence, now, expected] of days) {
  test(sentence, () => assert.equal(isClosed(dayOf(at), new Date(now)), expected));
}
