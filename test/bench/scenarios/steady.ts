// Accept latency, and from accept to WhatsApp, at a fixed rate over two numbers.
import { perProcess, totalCpu } from "../costs.ts";
import { spread } from "../format.ts";
import { acceptMs, makeLoad, waitsMs } from "../load-maker.ts";
import { costsBetween, sample } from "../proc.ts";
import { startRig, usersForRate, warm } from "../rig.ts";
import type { Context, Result, Scenario } from "../scenario.ts";
import { acceptances } from "../simulated.ts";
import { percentiles } from "../statistics.ts";

export const steady: Scenario = {
  name: "steady",
  about: "latency at fixed rates, two numbers",
  isLong: false,
  options: {
    rate: { usual: [2, 100], help: "messages a second; each rate on a system of its own" },
    seconds: { usual: [20], help: "length of each" },
  },
  run: runSteady,
};

async function runSteady(context: Context): Promise<Result> {
  const measured = [];
  for (const rate of context.all("rate")) measured.push(await measure(context, rate));
  return {
    figures: measured,
    rows: measured.flatMap(({ rate, accept, wait, cpuSecondsPer1000 }) => [
      {
        what: `accept latency at ${rate} msg/s, p50 / p95 / p99`,
        seen: spread(accept),
        target: rate === 100 ? "p99 ≤ 25 ms" : "",
      },
      {
        what: `accept → WhatsApp at ${rate} msg/s, p50 / p95 / p99`,
        seen: spread(wait),
        target: rate < 10 ? "p50 ≤ 15 ms" : "",
      },
      { what: `CPU seconds per 1,000 at ${rate} msg/s, all processes`, seen: cpuSecondsPer1000.toFixed(2), target: "" },
    ]),
    details: measured.map(({ rate, seconds, costs }) => perProcess(`${rate} msg/s for ${seconds} s`, costs)),
  };
}

async function measure(context: Context, rate: number) {
  const seconds = context.one("seconds");
  context.say(`${rate} msg/s for ${seconds} s`);
  await using rig = await startRig(context, { users: usersForRate(rate) });
  const { run, users, settled, processes } = rig;
  const warmed = await warm(rig);
  const before = sample(processes);
  const load = await makeLoad(run, { count: rate * seconds, perSecond: rate, users });
  await settled(warmed + load.sent.length);
  const costs = costsBetween(before, sample(processes), load.sent.length);
  const { taken, twice } = await acceptances(run);
  return {
    rate,
    seconds,
    messages: load.sent.length,
    refused: load.refused,
    twice,
    accept: acceptMs(load),
    wait: percentiles(waitsMs(load, taken)),
    cpuSecondsPer1000: totalCpu(costs),
    costs,
  };
}
