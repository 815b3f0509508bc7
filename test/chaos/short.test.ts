// The promise, in short: about forty kills of everything but the judges, in one run of a fixed seed. `npm run chaos` has longer ones.
import assert from "node:assert/strict";
import { test } from "node:test";
import { play } from "./play.ts";
import { evidenceOf, figuresOf, lineOf } from "./report.ts";

const short = { seed: 1, kills: 40, perSecond: 8 };

test("nothing is sent twice, lost or begun by an old holder under kills, freezes, jumping clocks and faults of WhatsApp", async (t) => {
  const result = await play({ ...short, tell: (progress) => t.diagnostic(progress) });
  t.diagnostic(lineOf(figuresOf(result)));
  assert.deepEqual(result.violations, [], evidenceOf(result, short));
  assert.ok(result.tally.kills >= short.kills * 0.9, `only ${result.tally.kills} kills`);
});
