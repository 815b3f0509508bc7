// One number at a steady rate for minutes: latencies, CPU and whether memory is flat.
import { perProcess, totalCpu } from "../costs.ts";
import { mib, spread } from "../format.ts";
import { acceptMs, makeLoad, waitsMs } from "../load-maker.ts";
import { trendCells, trendHead, trendsOf, watchMemory } from "../memory.ts";
import { costsBetween, sample } from "../proc.ts";
import { oneNumber, type Rig, startRig, usersForRate, warm } from "../rig.ts";
import type { Context, Detail, Result, Scenario } from "../scenario.ts";
import { acceptances } from "../simulated.ts";
import { percentiles } from "../statistics.ts";

const sampleEveryMs = 5_000;
const tellEveryMs = 60_000;

export const soak: Scenario = {
  name: "soak",
  about: "one number at steady rates for minutes: latency, CPU, memory over time",
  isLong: true,
  options: {
    rate: { usual: [20, 80], help: "messages a second; each rate on a system of its own" },
    minutes: { usual: [10], help: "length of each" },
  },
  run: runSoak,
};

async function runSoak(context: Context): Promise<Result> {
  const soaked: Soaked[] = [];
  for (const rate of context.all("rate")) soaked.push(await soakAt(context, rate));
  return { figures: soaked, rows: soaked.flatMap(rowsOf), details: soaked.flatMap(detailsOf) };
}

type Soaked = Awaited<ReturnType<typeof soakAt>>;

async function soakAt(context: Context, rate: number) {
  const { say, one } = context;
  const minutes = one("minutes");
  await using rig = await startRig(context, { numbers: oneNumber, users: usersForRate(rate) });
  const { run, users, settled, processes } = rig;
  const warmed = await warm(rig);
  say(`${rate} msg/s for ${minutes} min`);
  const before = sample(processes);
  using memory = watchMemory(processes, sampleEveryMs);
  using _telling = tell(context, rig, memory);
  const load = await makeLoad(run, { count: Math.round(rate * minutes * 60), perSecond: rate, users });
  const counts = await settled(warmed + load.sent.length);
  const moments = memory.stop();
  const costs = costsBetween(before, sample(processes), load.sent.length);
  const { taken, twice } = await acceptances(run);
  return {
    rate,
    minutes,
    messages: load.sent.length,
    refused: load.refused,
    withAllStatuses: counts.complete - warmed,
    failed: counts.failed,
    statusesTwice: counts.repeated,
    twice,
    accept: acceptMs(load),
    wait: percentiles(waitsMs(load, taken)),
    costs,
    trends: trendsOf(moments),
    moments,
  };
}

function tell({ say }: Context, { deliveries }: Rig, memory: ReturnType<typeof watchMemory>): Disposable {
  const timer = setInterval(() => {
    const { pssMiB } = memory.latest();
    const sum = Object.values(pssMiB).reduce((total, value) => total + value, 0);
    void deliveries.counts().then(
      ({ complete }) => say(`${complete} messages with all statuses, all processes ${mib(sum)} MiB`),
      () => undefined,
    );
  }, tellEveryMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function rowsOf({ rate, minutes, accept, wait, costs, trends, ...counts }: Soaked): Result["rows"] {
  const at = `at ${rate} msg/s, ${minutes} min`;
  const own = Object.entries(trends).filter(([name]) => name !== "simulator" && name !== "receiver");
  const [steepest] = own.toSorted(([, a], [, b]) => b.pssSlope - a.pssSlope);
  const connection = Object.entries(trends).find(([name]) => name.startsWith("connection-"))?.[1];
  return [
    { what: `accept latency ${at}, p50 / p95 / p99`, seen: spread(accept), target: "" },
    { what: `accept → WhatsApp ${at}, p50 / p95 / p99`, seen: spread(wait), target: "" },
    { what: `CPU seconds per 1,000 ${at}, all processes`, seen: totalCpu(costs).toFixed(2), target: "" },
    {
      what: `with all statuses ${at}`,
      seen: `${counts.withAllStatuses} of ${counts.messages}, ${counts.refused} refused, ${counts.twice} taken twice`,
      target: "all",
    },
    {
      what: `steepest memory ${at}, second half`,
      seen: steepest === undefined ? "" : `${steepest[0]}, ${steepest[1].pssSlope.toFixed(2)} MiB/min`,
      target: "flat",
    },
    { what: `connection process ${at}, most (PSS)`, seen: `${mib(connection?.mostPssMiB)} MiB`, target: "" },
  ];
}

function detailsOf({ rate, minutes, costs, trends }: Soaked): Detail[] {
  const { title, rows } = perProcess(`${rate} msg/s for ${minutes} min`, costs);
  const [, ...body] = rows;
  const cells = body.map(([name = "", cpu = ""]) => [name, cpu, ...trendCells(trends[name])]);
  return [{ title, rows: [["process", "CPU s per 1,000", ...trendHead], ...cells] }];
}
