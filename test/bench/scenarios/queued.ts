// A long queue of one number: memory while it grows and drains, and whether it drains in order.
import { mib, perSecond } from "../format.ts";
import { makeLoad } from "../load-maker.ts";
import { type Moment, trendCells, trendHead, trendsOf, watchMemory } from "../memory.ts";
import { longestRestMs, oneNumber, rest, type Rig, startRig, usersForBurst, warm } from "../rig.ts";
import type { Context, Result, Scenario } from "../scenario.ts";
import { type Acceptance, acceptances } from "../simulated.ts";
import { perSecondOf } from "../statistics.ts";
import { sleep } from "#lib/lifecycle.ts";

const name = oneNumber[0];
const label = "queued";
const concurrency = 32;
const sampleEveryMs = 5_000;
const portion = 20_000;
// Garbage of the way here is collected then, where the runtime wants to.
const quietMs = 15_000;
const queueRoom = 1.2;

export const queued: Scenario = {
  name: "queued",
  about: "a long queue of one number: memory, order",
  isLong: true,
  options: { size: { usual: [100_000], help: "messages that wait" } },
  run: runQueued,
};

async function runQueued(context: Context): Promise<Result> {
  const seen = await measure(context);
  const { accepted, refused, overtaken, twice, drainPerSecond, phases } = seen;
  return {
    figures: seen,
    rows: [
      { what: "accepted into the queue of one number", seen: `${accepted}, ${refused} refused`, target: "" },
      { what: "drained", seen: perSecond(drainPerSecond), target: "" },
      { what: "to one user out of order / taken twice", seen: `${overtaken.length} / ${twice}`, target: "0 / 0" },
      ...["messages", `connection-${name}`, "gateway"].map((process) => ({
        what: `memory of ${process}: empty, full, drained (PSS)`,
        seen: [
          phases.filling[process]?.firstPssMiB,
          phases.draining[process]?.firstPssMiB,
          phases.draining[process]?.lastPssMiB,
        ]
          .map((value) => `${mib(value)} MiB`)
          .join(", "),
        target: "flat",
      })),
    ],
    details: Object.entries(phases).map(([phase, trends]) => ({
      title: `Memory while ${phase}`,
      rows: [
        ["process", ...trendHead],
        ...Object.entries(trends).map(([process, trend]) => [process, ...trendCells(trend)]),
      ],
    })),
  };
}

async function measure(context: Context) {
  const { say, one } = context;
  const size = one("size");
  const spec = { queueLimit: Math.round(size * queueRoom) };
  await using rig = await startRig(context, { numbers: oneNumber, users: usersForBurst(size), spec });
  const { run, settled, processes } = rig;
  const warmed = await warm(rig);
  const goOn = await rest(rig, name);
  using memory = watchMemory(processes, sampleEveryMs);
  const filledFromMs = performance.now();
  const { accepted, refused } = await fill(context, rig, size);
  const filledToMs = performance.now();
  await sleep(quietMs);
  const drainedFromMs = performance.now();
  await goOn();
  say(`the number goes on, within ${longestRestMs / 1_000} s`);
  const counts = await settled(warmed + accepted + 1, ({ complete }) => say(`${complete} have all statuses`));
  const moments = memory.stop();
  const { taken, twice } = await acceptances(run);
  const times = taken.slice(warmed).map(({ atMs }) => atMs);
  return {
    size,
    accepted,
    refused,
    twice,
    overtaken: findOvertaken(taken),
    takenPerSecond: perSecondOf(times),
    counts,
    drainPerSecond: ((times.length - 1) * 1_000) / ((times.at(-1) ?? Number.NaN) - (times[0] ?? Number.NaN)),
    phases: {
      filling: trendsOf(within(moments, filledFromMs, filledToMs)),
      draining: trendsOf(within(moments, drainedFromMs, performance.now())),
    },
    moments,
  };
}

/** In portions, each of which goes through all users in turn: the order to a user is that of the portions and of the indexes in them. */
async function fill({ say }: Context, { run, users }: Rig, size: number) {
  let accepted = 0;
  let refused = 0;
  for (let from = 0; from < size; from += portion) {
    const count = Math.min(portion, size - from);
    const load = await makeLoad(run, { count, concurrency, users, label: `${label} ${from}` });
    accepted += load.sent.length;
    refused += load.refused;
    say(`${accepted} wait${refused === 0 ? "" : `, ${refused} refused`}`);
  }
  return { accepted, refused };
}

function within(moments: readonly Moment[], fromMs: number, toMs: number): Moment[] {
  return moments.filter(({ atMs }) => atMs >= fromMs - sampleEveryMs && atMs <= toMs);
}

type Overtaken = { messageId: string; place: number; atMs: number; byPlace: number; byAtMs: number };

/** Messages that reached WhatsApp after a later one to the same user, with the one that overtook them. */
function findOvertaken(taken: readonly Acceptance[]): Overtaken[] {
  const latest = new Map<string, { place: number; atMs: number }>();
  const overtaken: Overtaken[] = [];
  for (const { messageId, to, text, atMs } of taken) {
    const [, from, index] = new RegExp(`^${label} (\\d+) (\\d+)$`).exec(text) ?? [];
    if (index === undefined) continue;
    const place = Number(from) + Number(index);
    const before = latest.get(to);
    if (before === undefined || before.place < place) latest.set(to, { place, atMs });
    else overtaken.push({ messageId, place, atMs, byPlace: before.place, byAtMs: before.atMs });
  }
  return overtaken;
}
