import assert from "node:assert/strict";
import { test } from "node:test";
import { type Filter, type Origin, wants } from "./matching.ts";

const all: Filter = { events: [], phoneNumberIds: [], wabaIds: [] };
const status: Origin = { kind: "statuses", phoneNumberId: "111", wabaId: "900" };
const account: Origin = { kind: "account", phoneNumberId: undefined, wabaId: "900" };

const cases: [sentence: string, filter: Filter, origin: Origin, wanted: boolean][] = [
  ["an empty filter wants a status", all, status, true],
  ["an empty filter wants news of the account", all, account, true],
  ["a listed kind is wanted", { ...all, events: ["messages", "statuses"] }, status, true],
  ["a kind that is not listed is not wanted", { ...all, events: ["messages"] }, status, false],
  ["a listed number is wanted", { ...all, phoneNumberIds: ["222", "111"] }, status, true],
  ["another number is not wanted", { ...all, phoneNumberIds: ["222"] }, status, false],
  ["a number of a listed account is wanted", { ...all, wabaIds: ["900"] }, status, true],
  ["a number of another account is not wanted", { ...all, wabaIds: ["901"] }, status, false],
  ["number and account must both fit", { ...all, phoneNumberIds: ["111"], wabaIds: ["901"] }, status, false],
  ["news of a listed account is wanted", { ...all, wabaIds: ["900"] }, account, true],
  ["news of another account is not wanted", { ...all, wabaIds: ["901"] }, account, false],
  ["who lists numbers only gets no news of accounts", { ...all, phoneNumberIds: ["111"] }, account, false],
  ["who lists number and account gets its news", { ...all, phoneNumberIds: ["111"], wabaIds: ["900"] }, account, true],
  ["news of the account can be left out", { ...all, events: ["messages", "statuses"] }, account, false],
];
for (const [sentence, filter, origin, wanted] of cases) {
  test(sentence, () => assert.equal(wants(filter, origin), wanted));
}
