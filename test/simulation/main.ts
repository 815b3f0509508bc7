// npm run simulate: the protocol of operator, leases and connections in virtual time, under seeded faults.
import { parseArgs } from "node:util";
import { mutations, provoke } from "./mutations.ts";
import { play } from "./play.ts";

const help = `npm run simulate -- [options]

Runs the real rules of operator, leases and connections against simulated machines in virtual time, and judges: never two senders of
a number, nothing on the wire twice, and after the last fault everything comes to rest. The same seed brings the same schedule.

  --seed N        of the first schedule; each further one has the next (default 1)
  --schedules M   how many                                             (default 10000)
  --trace         tells what happened in each schedule
  --mutate NAME   instead: takes a guard away and succeeds if its judge notices; --mutate list names them
  --help          this text

Exits with 1 after a violation, with the command that replays it.
`;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    schedules: { type: "string", default: "10000" },
    trace: { type: "boolean", default: false },
    mutate: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const schedules = Number(values.schedules);

function mutate(wanted: string): number {
  const mutation = Object.entries(mutations).find(([name]) => name === wanted)?.[1];
  if (mutation === undefined) {
    print(Object.keys(mutations).join("\n"));
    return wanted === "list" ? 0 : 2;
  }
  const noticed = provoke(mutation, schedules);
  const violation = noticed?.violations.find(({ rule }) => rule === mutation.rule);
  print(
    violation === undefined
      ? `"${mutation.rule}" was kept`
      : `seed ${noticed?.seed}: "${mutation.rule}": ${violation.what}`,
  );
  return violation === undefined ? 1 : 0;
}

function playAll(): number {
  const first = Number(values.seed);
  const startedAtMs = performance.now();
  const totals = { frames: 0, grants: 0, epochs: 0, frozenFrames: 0, lostTimeFrames: 0 };
  let bad = 0;
  let longestMs = 0;
  for (let seed = first; seed < first + schedules; seed++) {
    const { violations, tally, faults, settledMs } = play({ seed, ...(values.trace && { tell: print }) });
    for (const name of ["frames", "grants", "epochs", "frozenFrames", "lostTimeFrames"] as const)
      totals[name] += tally[name];
    longestMs = Math.max(longestMs, settledMs);
    if (violations.length === 0) continue;
    bad += 1;
    print(`seed ${seed}, faults: ${faults.join("; ")}`);
    for (const { rule, what, atMs } of violations) print(`  ${(atMs / 1_000).toFixed(3)} "${rule}": ${what}`);
    print(`  replay: npm run simulate -- --seed ${seed} --schedules 1 --trace`);
  }
  const seconds = (performance.now() - startedAtMs) / 1_000;
  print(
    `${schedules} schedules in ${seconds.toFixed(1)} s: ${bad} with violations; ${totals.grants} grants, ${totals.epochs} epochs, ` +
      `${totals.frames} messages on the wire, of which ${totals.frozenFrames} by a process stopped before its first byte and ` +
      `${totals.lostTimeFrames} by a machine whose clocks both stood still; at rest at most ${Math.round(longestMs / 1_000)} s after the last fault`,
  );
  return bad === 0 ? 0 : 1;
}

if (values.help) print(help);
else process.exitCode = values.mutate === undefined ? playAll() : mutate(values.mutate);
