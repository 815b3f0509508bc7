import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRecipient } from "./phone.ts";

const cases: [sentence: string, input: string, expected: string | undefined][] = [
  ["bare digits are international", "15550001111", "15550001111"],
  ["a plus is tolerated", "+15550001111", "15550001111"],
  ["decoration is tolerated", "+1 (555) 000-1111", "15550001111"],
  ["a number nobody has, of possible length, is accepted", "+49 1512 0000000", "4915120000000"],
  ["a mobile number of Brazil in its old form is accepted", "551188887777", "551188887777"],
  ["a mobile number of Mexico keeps the old 1", "5215512345678", "5215512345678"],
  ["letters are refused", "+1555CALLNOW", undefined],
  ["a business-scoped user id is no number", "US.13491208655302741918", undefined],
  ["too short is refused", "1555", undefined],
  ["too long is refused", "155500011112222", undefined],
  ["no country code begins with 0", "0049151200000", undefined],
  ["a country code that nobody has is refused", "999555000111", undefined],
  ["an empty text is refused", "", undefined],
];
for (const [sentence, input, expected] of cases) {
  test(sentence, () => assert.equal(parseRecipient(input), expected));
}
