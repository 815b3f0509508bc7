// One run: the system comes up, the load begins, the schedule's faults happen, and when all is quiet again the judges look.
import { sleep } from "#lib/lifecycle.ts";
import type { RunFile } from "#test/system.ts";
import { gather } from "./evidence.ts";
import { createFaults, type Happening } from "./faults.ts";
import { type Evidence, judge, type Verdict } from "./judges.ts";
import { type LoadLog, openWindows, startLoad } from "./load.ts";
import { planFaults } from "./schedule.ts";
import { leaseMs, openStage, type Stage } from "./stage.ts";

export type Result = Verdict & {
  seed: number;
  kills: number;
  accepted: number;
  /** Messages that a phone has. */
  phones: number;
  seconds: number;
  evidence: Evidence;
  happened: readonly Happening[];
  /** Where data and logs are kept; undefined after a run without violations. */
  keptIn: string | undefined;
};

type Play = { seed: number; kills: number; perSecond: number };

// What is unknown is given up after the finish and the unknown timeout, 16 s; the rest is repeated webhooks and restarts.
const settleMs = 75_000;
const lookEveryMs = 1_000;

export async function play({ seed, kills, perSecond }: Play): Promise<Result> {
  const startedAt = performance.now();
  await using stage = await openStage();
  const { run } = stage.system;
  const steps = planFaults({ seed, kills, numbers: run.numbers.map(({ name }) => name), leaseMs });
  await openWindows(stage);
  const load = startLoad(run, perSecond);
  const faults = createFaults(stage);
  const loadStartedAt = performance.now();
  const underWay: Promise<void>[] = [];
  for (const { atMs, fault } of steps) {
    await sleep(Math.max(0, loadStartedAt + atMs - performance.now()));
    underWay.push(faults.inflict(fault));
  }
  const broken = (await Promise.allSettled(underWay)).filter(({ status }) => status === "rejected");
  await load.stop();
  await recover(stage, run);
  const { evidence, verdict } = await settle(stage, load);
  for (const one of broken) verdict.violations.push({ rule: "chaos", what: JSON.stringify(one, errorText) });
  const isGood = verdict.violations.length === 0;
  if (!isGood) stage.keep();
  return {
    ...verdict,
    seed,
    kills: faults.kills(),
    accepted: load.accepted.length,
    phones: evidence.frames.filter(({ deliveredAt }) => deliveredAt !== null).length,
    seconds: (performance.now() - startedAt) / 1_000,
    evidence,
    happened: faults.happened,
    keptIn: isGood ? undefined : stage.system.dataDir,
  };
}

function errorText(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value;
}

/** Nothing is broken on purpose any more, and every process runs. */
async function recover({ find }: Stage, { simulator, processes }: RunFile): Promise<void> {
  await fetch(`${simulator}/admin/faults`, { method: "DELETE" });
  await Promise.all(processes.map(({ name }) => find(name)));
}

/** Looks until nothing is missing any more, or the time for it is over. */
export async function settle(
  { system, databaseUrl }: Stage,
  load: LoadLog,
  timeoutMs = settleMs,
): Promise<{ evidence: Evidence; verdict: Verdict }> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    const evidence = await gather(system.run, databaseUrl, load);
    const verdict = judge(evidence);
    const isMissing = verdict.violations.some(({ rule }) => rule === "lost");
    if (!isMissing || performance.now() > giveUpAt) return { evidence, verdict };
    await sleep(lookEveryMs);
  }
}
