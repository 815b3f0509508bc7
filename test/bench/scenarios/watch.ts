// The operator's watch through a proxy that spoils what passes: every event must be told, once and in order.
import { clearRunFolder, clearStaleRuns, makeRunFolder } from "#test/env/folder.ts";
import { startKube } from "#test/env/kube.ts";
import { runWatchTrial, type TrialFigures } from "#test/env/watch-trial.ts";
import type { Context, Result, Row, Scenario } from "../scenario.ts";

export const watch: Scenario = {
  name: "watch",
  about: "events of a real API server through faults: resets, silence, cut lines, repeats; none may be lost",
  isLong: true,
  options: {
    events: { usual: [100_000], help: "changes to make" },
    seed: { usual: [1], help: "of the faults" },
  },
  run: runWatch,
};

async function runWatch(context: Context): Promise<Result> {
  const { stack, say, one } = context;
  await clearStaleRuns();
  const run = makeRunFolder();
  stack.defer(() => clearRunFolder(run));
  const kube = stack.use(await startKube());
  const [writes, seed] = [one("events"), one("seed")];
  say(`${writes} changes, faults that cost no list`);
  const whole = await runWatchTrial({ kube, writes, seed, withLists: false });
  say(`all were told; as many again, with lost history`);
  const withLists = await runWatchTrial({ kube, writes, seed, withLists: true });
  return {
    figures: { whole, withLists },
    rows: [
      ...rowsOf("no list", whole, `${whole.told} of ${whole.writes}, in order`),
      ...rowsOf("lists too", withLists, `${withLists.told}, each after the one before, all in the cache at the end`),
    ],
    details: [],
  };
}

/** The trial has failed where anything was lost. */
function rowsOf(which: string, { writes, seconds, faults, restarts }: TrialFigures, told: string): Row[] {
  const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((all, count) => all + count, 0);
  const list = (counts: Record<string, number>): string =>
    Object.entries(counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ");
  return [
    { what: `${which}: events told`, seen: told, target: "none lost" },
    { what: `${which}: changes a second`, seen: (writes / seconds).toFixed(0), target: "" },
    { what: `${which}: faults made`, seen: `${sum(faults)}: ${list(faults)}`, target: "" },
    { what: `${which}: watches begun again`, seen: `${sum(restarts)}: ${list(restarts)}`, target: "" },
  ];
}
