// Ten thousand schedules of faults, each of its own seed. More with `npm run simulate`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { play } from "./play.ts";

const schedules = 10_000;

test(`in ${schedules} schedules no number has two senders, and every one comes to rest`, (t) => {
  let frozenFrames = 0;
  let grants = 0;
  for (let seed = 1; seed <= schedules; seed++) {
    const { violations, tally, faults } = play({ seed });
    const replay = `npm run simulate -- --seed ${seed} --schedules 1 --trace`;
    assert.deepEqual(violations, [], `faults: ${faults.join("; ")}; replay: ${replay}`);
    frozenFrames += tally.frozenFrames;
    grants += tally.grants;
  }
  t.diagnostic(`${grants} grants, ${frozenFrames} messages by processes that were stopped right before the first byte`);
  assert.ok(grants > 3 * schedules && frozenFrames > 0, "the schedules have lost their teeth");
});

test("the same seed brings the same schedule", () => {
  const told: string[][] = [[], []];
  for (const lines of told) play({ seed: 7, tell: (line) => lines.push(line) });
  assert.deepEqual(told[0], told[1]);
});
