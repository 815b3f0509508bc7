// The promise, in short: about forty kills of everything but the judges, in one run of a fixed seed. `npm run chaos` has longer ones.
import assert from "node:assert/strict";
import { test } from "node:test";
import { play } from "./play.ts";
import { evidenceOf } from "./report.ts";

const seed = 1;
const kills = 40;

test("nothing is sent twice, lost or begun by an old holder under kills, freezes and faults of WhatsApp", async (t) => {
  const result = await play({ seed, kills, perSecond: 8 });
  t.diagnostic(`${result.kills} kills, ${result.accepted} accepted, ${result.unknown} unknown`);
  assert.deepEqual(result.violations, [], evidenceOf(result));
  assert.ok(result.kills >= kills * 0.9, `only ${result.kills} kills`);
});
