// As many as it takes, over two numbers, with pacer and simulator limits open, until every status is at the receiver.
import { perProcess, totalCpu } from "../costs.ts";
import { perSecond, spread } from "../format.ts";
import { acceptMs, makeLoad } from "../load-maker.ts";
import { costsBetween, sample } from "../proc.ts";
import { startRig, usersForBurst, warm } from "../rig.ts";
import type { Context, Result, Scenario } from "../scenario.ts";

const concurrency = 32;

export const burst: Scenario = {
  name: "burst",
  about: "the whole system's throughput, two numbers, every status delivered",
  isLong: false,
  options: { burst: { usual: [6_000], help: "messages" } },
  run: runBurst,
};

async function runBurst(context: Context): Promise<Result> {
  const messages = context.one("burst");
  context.say(`${messages} messages over two numbers, as fast as they are accepted`);
  await using rig = await startRig(context, { users: usersForBurst(messages / 2) });
  const { run, users, settled, processes } = rig;
  const warmed = await warm(rig);
  const before = sample(processes);
  const load = await makeLoad(run, { count: messages, concurrency, users });
  const counts = await settled(warmed + load.sent.length);
  const costs = costsBetween(before, sample(processes), load.sent.length);
  const rate = (endMs: number): number => (load.sent.length * 1_000) / (endMs - load.firstAtMs);
  const endToEndPerSecond = rate(counts.lastAtMs);
  const acceptedPerSecond = rate(load.lastAtMs);
  const accept = acceptMs(load);
  return {
    figures: {
      messages: load.sent.length,
      refused: load.refused,
      endToEndPerSecond,
      acceptedPerSecond,
      accept,
      counts,
      cpuSecondsPer1000: totalCpu(costs),
      costs,
    },
    rows: [
      {
        what: "whole system, two numbers, every status delivered",
        seen: perSecond(endToEndPerSecond),
        target: "≥ 150, then ≥ 300 msg/s",
      },
      { what: "of that, accepted", seen: perSecond(acceptedPerSecond), target: "" },
      { what: "accept latency in the burst, p50 / p95 / p99", seen: spread(accept), target: "" },
      { what: "CPU seconds per 1,000 in the burst, all processes", seen: totalCpu(costs).toFixed(2), target: "" },
    ],
    details: [perProcess(`Burst of ${load.sent.length}, ${load.refused} refused`, costs)],
  };
}
