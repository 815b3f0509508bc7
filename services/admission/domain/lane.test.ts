import assert from "node:assert/strict";
import { test } from "node:test";
import { type Lane, laneOf } from "./lane.ts";

const cases: [sentence: string, asked: Lane | undefined, category: string, expected: Lane][] = [
  ["free-form messages reply", undefined, "", "reply"],
  ["utility templates reply", undefined, "UTILITY", "reply"],
  ["authentication templates reply", undefined, "AUTHENTICATION", "reply"],
  ["marketing goes in bulk", undefined, "MARKETING", "bulk"],
  ["the client's word counts for marketing", "reply", "MARKETING", "reply"],
  ["the client's word counts for free-form messages", "bulk", "", "bulk"],
];
for (const [sentence, asked, category, expected] of cases) {
  test(sentence, () => assert.equal(laneOf(asked, category), expected));
}
