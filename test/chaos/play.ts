// One run: the system comes up, the load begins, the schedule's faults happen, and when all is quiet again the judges look.
import { sleep } from "#lib/lifecycle.ts";
import type { RunFile } from "#test/system.ts";
import { gather } from "./evidence.ts";
import { createFaults, type Happening, type Tally } from "./faults.ts";
import { type Evidence, judge, type Verdict } from "./judges.ts";
import { type LoadLog, openWindows, startLoad } from "./load.ts";
import { furthestJumpMs, planFaults } from "./schedule.ts";
import { leaseMs, longestUnknownMs, openStage, type Stage } from "./stage.ts";

export type Result = Verdict & {
  seed: number;
  tally: Tally;
  accepted: number;
  /** Messages that a phone has. */
  phones: number;
  seconds: number;
  evidence: Evidence;
  happened: readonly Happening[];
  /** Where data and logs are kept; undefined after a run without violations. */
  keptIn: string | undefined;
};

export type Play = {
  seed: number;
  /** SIGKILLs at least. */
  kills: number;
  perSecond: number;
  /** Told every few seconds how far it is. */
  tell?: (progress: string) => void;
};

const settleMs = 60_000;
const quietMs = 4_000;
const lookEveryMs = 1_000;
const tellEveryMs = 10_000;
const progressMs = 5_000;
const lookForProgressMs = 25;

export async function play({ seed, kills, perSecond, tell = () => undefined }: Play): Promise<Result> {
  const startedAt = performance.now();
  const elapsed = (): number => (performance.now() - startedAt) / 1_000;
  await using stage = await openStage();
  const { run } = stage.system;
  const steps = planFaults({ seed, kills, numbers: run.numbers.map(({ name }) => name), leaseMs });
  await openWindows(stage);
  const load = startLoad(run, perSecond);
  const faults = createFaults(stage);
  const ticker = setInterval(() => {
    const { kills: done } = faults.tally();
    tell(`${done} of ${kills} kills, ${load.accepted.length} accepted, ${elapsed().toFixed(0)} s`);
  }, tellEveryMs);
  try {
    const underWay: Promise<void>[] = [];
    for (const { pauseMs, atWork, fault } of steps) {
      await sleep(pauseMs);
      if (atWork) await progressOf(load);
      underWay.push(faults.inflict(fault));
    }
    const broken = (await Promise.allSettled(underWay)).filter(({ status }) => status === "rejected");
    await load.stop();
    await recover(stage, run);
    const { evidence, verdict } = await settle(stage, load, furthestJumpMs(steps));
    for (const one of broken) verdict.violations.push({ rule: "chaos", what: JSON.stringify(one, errorText) });
    const isGood = verdict.violations.length === 0;
    if (!isGood) stage.keep();
    return {
      ...verdict,
      seed,
      tally: faults.tally(),
      accepted: load.accepted.length,
      phones: evidence.frames.filter(({ deliveredAt }) => deliveredAt !== null).length,
      seconds: elapsed(),
      evidence,
      happened: faults.happened,
      keptIn: isGood ? undefined : stage.system.dataDir,
    };
  } finally {
    clearInterval(ticker);
  }
}

/** Something was accepted just now, or the time for it is over: what is down already need not be broken again and again. */
async function progressOf({ accepted }: LoadLog): Promise<void> {
  const before = accepted.length;
  const giveUpAt = performance.now() + progressMs;
  while (accepted.length === before && performance.now() < giveUpAt) await sleep(lookForProgressMs);
}

function errorText(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value;
}

/** Nothing is broken on purpose any more, and every process runs. */
async function recover({ find }: Stage, { simulator, processes }: RunFile): Promise<void> {
  await fetch(`${simulator}/admin/faults`, { method: "DELETE" });
  await Promise.all(processes.map(({ name }) => find(name)));
}

/**
 * Looks until nothing is missing any more, or nothing more comes. What was put off while a clock was ahead would be waited for as
 * long as it was ahead, so when it has become quiet all clocks pass that time; what is still unknown is then given up, too.
 */
export async function settle(
  stage: Stage,
  load: LoadLog,
  aheadMs = 0,
): Promise<{ evidence: Evidence; verdict: Verdict }> {
  const soon = await lookUntilQuiet(stage, load, quietMs);
  if (soon.verdict.lost === 0) return soon;
  await stage.passTime(aheadMs + longestUnknownMs);
  return lookUntilQuiet(stage, load, settleMs);
}

/** Until nothing is missing, or what is missing has not become less for that time. */
async function lookUntilQuiet(
  { system, databaseUrl }: Stage,
  load: LoadLog,
  patienceMs: number,
): Promise<{ evidence: Evidence; verdict: Verdict }> {
  let least = Number.POSITIVE_INFINITY;
  let fellAt = performance.now();
  for (;;) {
    const evidence = await gather(system.run, databaseUrl, load);
    const verdict = judge(evidence);
    if (verdict.lost < least) fellAt = performance.now();
    least = Math.min(least, verdict.lost);
    if (least === 0 || performance.now() - fellAt > patienceMs) return { evidence, verdict };
    await sleep(lookEveryMs);
  }
}
