import assert from "node:assert/strict";
import { test } from "node:test";
import { type Figures, lineOf, parseFigures, summaryOf } from "./report.ts";

const run: Figures = {
  seed: 7,
  kills: 41,
  crashes: 9,
  freezes: 8,
  jumps: 7,
  upstream: 6,
  rivals: 5,
  accepted: 500,
  phones: 490,
  unknown: 10,
  late: 1,
  duplicates: 0,
  lost: 0,
  violations: 0,
  seconds: 90,
};
const bad: Figures = { ...run, seed: 8, lost: 2, violations: 3, seconds: 150 };

test("figures that were written line by line are read again", () => {
  assert.deepEqual(parseFigures(`${JSON.stringify(run)}\n${JSON.stringify(bad)}\n`), [run, bad]);
  assert.throws(() => parseFigures("{}"));
});

test("pieces add up, and the seeds with violations are named", () => {
  assert.equal(
    summaryOf([run, bad]),
    `2 runs, 4 min
done: 82 kills (18 at a named point), 16 freezes, 14 jumps of a clock, 10 rivals, 12 faults of WhatsApp
messages: 1000 accepted, 980 on phones, 20 ended unknown, 2 late frames
verdict: 0 duplicates, 2 lost, 3 violations in all, with seeds 8`,
  );
  assert.doesNotMatch(summaryOf([run]), /with seeds/);
});

test("a run that was violated shows it in its line", () => {
  assert.doesNotMatch(lineOf(run), /VIOLATED/);
  assert.match(lineOf(bad), /^seed 8 {2}kills 41 .* lost 2 {2}150 s {2}VIOLATED$/);
});
