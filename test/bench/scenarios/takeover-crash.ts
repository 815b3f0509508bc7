// kill -9 of the connection process under a steady load; the local runner starts it again, and the same holder gets its lease back.
import pg from "pg";
import { z } from "zod";
import { sleep } from "#lib/lifecycle.ts";
import { dataFolderAt } from "#local/data-folder.ts";
import { readRunFile } from "#local/run-file.ts";
import { until } from "#test/until.ts";
import { makeLoad } from "../load-maker.ts";
import { oneNumber, type Rig, startRig, usersForRate, warm } from "../rig.ts";
import type { Context } from "../scenario.ts";
import { acceptances } from "../simulated.ts";
import { longestGap } from "../statistics.ts";

const name = `connection-${oneNumber[0]}`;
// The runner waits longer before it starts what ran for less than 10 s.
const everyMs = 13_000;
// A silence that begins later is the next kill's.
const ownMs = 10_000;
const headMs = 4_000;
const tailMs = 12_000;
const restartMs = 10_000;
// What was on the wire at a kill and not taken is given up soon, so that each message comes to its end.
const unknownTimeoutSeconds = 30;

/** `ms` is from the kill to the end of the longest time in which WhatsApp took nothing; the parts add up to it. */
export type Crash = { ms: number; pauseMs: number; startMs: number; firstMs: number };

type Kill = { atMs: number; startedAtMs: number; grantedAtMs: number };

export async function measureCrashes(context: Context, kills: number): Promise<{ rounds: Crash[]; lost: string }> {
  const rate = context.one("rate");
  const spec = { unknownTimeoutSeconds };
  await using rig = await startRig(context, { numbers: oneNumber, users: usersForRate(rate), spec });
  const { run, users, settled } = rig;
  const warmed = await warm(rig);
  const seconds = (headMs + kills * everyMs + tailMs) / 1_000;
  const [load, done] = await Promise.all([
    makeLoad(run, { count: Math.round(rate * seconds), perSecond: rate, users }),
    killAgainAndAgain(context, rig, kills),
  ]);
  const counts = await settled(warmed + load.sent.length);
  const { taken, twice } = await acceptances(run);
  const times = taken.map(({ atMs }) => atMs);
  return {
    rounds: done.map((kill) => crashOf(kill, times)),
    lost: `${load.sent.length} accepted, ${load.refused} refused, ${counts.failed} failed as unknown, ${twice} twice`,
  };
}

async function killAgainAndAgain({ say }: Context, rig: Rig, kills: number): Promise<Kill[]> {
  const client = new pg.Client({ connectionString: rig.databaseUrl });
  await client.connect();
  try {
    await sleep(headMs);
    const done: Kill[] = [];
    for (let index = 0; index < kills; index++) {
      const nextAtMs = performance.now() + everyMs;
      done.push(await killOnce(rig, client));
      if ((index + 1) % 5 === 0) say(`${index + 1} of ${kills} kills`);
      await sleep(Math.max(0, nextAtMs - performance.now()));
    }
    return done;
  } finally {
    await client.end();
  }
}

const leaseRow = z.object({ term: z.string(), granted_at: z.date() });

async function killOnce({ system }: Rig, client: pg.Client): Promise<Kill> {
  const lease = async () =>
    leaseRow.parse((await client.query("select term, granted_at from messages.leases")).rows[0]);
  const runFile = dataFolderAt(system.dataDir).runFile;
  const current = () => readRunFile(runFile)?.processes.find((process) => process.name === name);
  const old = await until(current, { message: `${name} does not run` });
  const { term } = await lease();
  const atMs = performance.timeOrigin + performance.now();
  process.kill(old.pid, "SIGKILL");
  const again = await until(
    () => {
      const found = current();
      return found?.pid === old.pid ? undefined : found;
    },
    { timeoutMs: restartMs, message: `${name} was not started again` },
  );
  const granted = await until(
    async () => {
      const found = await lease();
      return found.term === term ? undefined : found;
    },
    { timeoutMs: 2 * restartMs, message: `${name} was not granted the lease` },
  );
  return { atMs, startedAtMs: new Date(again.startedAt).getTime(), grantedAtMs: granted.granted_at.getTime() };
}

function crashOf({ atMs, startedAtMs, grantedAtMs }: Kill, times: readonly number[]): Crash {
  const resumedAtMs = longestGap(times, atMs, atMs + ownMs)?.toMs ?? Number.NaN;
  return {
    ms: resumedAtMs - atMs,
    pauseMs: startedAtMs - atMs,
    startMs: grantedAtMs - startedAtMs,
    firstMs: resumedAtMs - grantedAtMs,
  };
}
