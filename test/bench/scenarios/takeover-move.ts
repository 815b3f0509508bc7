// A second connection process takes the number over from the first, which drains, releases and ends; the runner starts that one again,
// as a standby. Then the second one is told to stop, and the standby gets the number back.
import { once } from "node:events";
import { sleep } from "#lib/lifecycle.ts";
import { dataFolderAt } from "#local/data-folder.ts";
import { endRival, startRival } from "#test/chaos/faults.ts";
import { makeLoad } from "../load-maker.ts";
import { oneNumber, type Rig, startRig, usersForRate, warm } from "../rig.ts";
import type { Context } from "../scenario.ts";
import { acceptances } from "../simulated.ts";
import { longestGap } from "../statistics.ts";

const number = oneNumber[0];
const overMs = 9_000;
const backMs = 6_000;
const headMs = 4_000;

/** Each the longest time between two messages that WhatsApp took, from the moment the move was asked for. */
export type Move = { gapMs: number; backMs: number };

type Moments = { startedAtMs: number; stoppedAtMs: number };

export async function measureMoves(context: Context, moves: number): Promise<{ rounds: Move[]; lost: string }> {
  const rate = context.one("rate");
  await using rig = await startRig(context, { numbers: oneNumber, users: usersForRate(rate) });
  const { run, users, settled } = rig;
  const warmed = await warm(rig);
  const seconds = (2 * headMs + moves * (overMs + backMs)) / 1_000;
  const [load, done] = await Promise.all([
    makeLoad(run, { count: Math.round(rate * seconds), perSecond: rate, users }),
    moveAgainAndAgain(context, rig, moves),
  ]);
  const counts = await settled(warmed + load.sent.length);
  const { taken, twice } = await acceptances(run);
  const times = taken.map(({ atMs }) => atMs);
  const gapMs = (fromMs: number, lengthMs: number): number =>
    longestGap(times, fromMs, fromMs + lengthMs)?.ms ?? Number.NaN;
  return {
    rounds: done.map(({ startedAtMs, stoppedAtMs }) => ({
      gapMs: gapMs(startedAtMs, overMs),
      backMs: gapMs(stoppedAtMs, backMs),
    })),
    lost: `${load.sent.length} accepted, ${load.refused} refused, ${counts.failed} failed, ${twice} twice`,
  };
}

async function moveAgainAndAgain({ say, stack }: Context, rig: Rig, moves: number): Promise<Moments[]> {
  const { system, portBase } = rig;
  const place = { system, portBase, logs: dataFolderAt(system.dataDir).logs };
  const nowMs = (): number => performance.timeOrigin + performance.now();
  await sleep(headMs);
  const done: Moments[] = [];
  for (let index = 0; index < moves; index++) {
    const startedAtMs = nowMs();
    const rival = startRival(place, number, true);
    stack.defer(() => endRival(rival));
    await sleep(overMs);
    if (rival.exitCode !== null) throw new Error(`the second process ended with exit code ${rival.exitCode}`);
    const stoppedAtMs = nowMs();
    rival.kill("SIGTERM");
    await Promise.all([sleep(backMs), once(rival, "exit")]);
    done.push({ startedAtMs, stoppedAtMs });
    if ((index + 1) % 5 === 0) say(`${index + 1} of ${moves} moves`);
  }
  return done;
}
