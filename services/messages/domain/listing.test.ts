import assert from "node:assert/strict";
import { test } from "node:test";
import { type Filter, type IdRange, rangeOfDay } from "./listing.ts";
import { dayOf, firstMessageId } from "./partitions.ts";

const at = (time: string): Date => new Date(`2026-03-${time}Z`);
const id = (time: string): string => firstMessageId(at(time));
const day = dayOf(at("02T10:00:00"));
const all = { from: undefined, to: undefined };
const whole: IdRange = { least: id("02T00:00:00"), below: id("03T00:00:00") };

const cases: [
  sentence: string,
  times: Pick<Filter, "from" | "to">,
  pageToken: string | undefined,
  expected: IdRange | undefined,
][] = [
  ["a day as a whole", all, undefined, whole],
  ["times outside it do not matter", { from: at("01T00:00:00"), to: at("09T00:00:00") }, undefined, whole],
  [
    "times inside it do",
    { from: at("02T10:00:00"), to: at("02T11:00:00") },
    undefined,
    { least: id("02T10:00:00"), below: id("02T11:00:00") },
  ],
  ["a day before the time", { from: at("03T00:00:00"), to: undefined }, undefined, undefined],
  ["a day after it", { from: undefined, to: at("02T00:00:00") }, undefined, undefined],
  ["a page goes on below the one before", all, id("02T12:00:00"), { ...whole, below: id("02T12:00:00") }],
  ["days of pages before are left out", all, id("02T00:00:00"), undefined],
  ["days of later pages are whole", all, id("04T00:00:00"), whole],
];
for (const [sentence, times, pageToken, expected] of cases) {
  test(sentence, () => assert.deepEqual(rangeOfDay(day, times, pageToken), expected));
}
