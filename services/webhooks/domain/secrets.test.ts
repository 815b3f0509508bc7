import assert from "node:assert/strict";
import { test } from "node:test";
import { validSecrets } from "./secrets.ts";

const now = new Date("2026-11-23T12:00:00Z");
const later = new Date("2026-11-23T12:00:00.001Z");

const cases: [sentence: string, secrets: string[], endAt: Date | undefined, valid: string[]][] = [
  ["without an end all sign", ["new", "old"], undefined, ["new", "old"]],
  ["before the end both sign", ["new", "old"], later, ["new", "old"]],
  ["at the end only the newest", ["new", "old"], now, ["new"]],
  ["the only one signs whatever the end", ["new"], now, ["new"]],
  ["none is none", [], undefined, []],
];
for (const [sentence, secrets, previousSecretsEndAt, valid] of cases) {
  test(sentence, () => assert.deepEqual(validSecrets({ secrets, previousSecretsEndAt }, now), valid));
}
