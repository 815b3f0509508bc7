// What a message costs in commits, row writes and calls: reply lane, three statuses, two numbers, a steady rate.
import { countedBetween, readCounters, sumOf } from "../counters.ts";
import { makeLoad } from "../load-maker.ts";
import { startRig, usersForRate, warm } from "../rig.ts";
import type { Context, Result, Scenario } from "../scenario.ts";

export const messageCost: Scenario = {
  name: "message-cost",
  about: "commits, row writes and calls of a message",
  isLong: false,
  options: {
    rate: { usual: [150], help: "messages a second" },
    seconds: { usual: [30], help: "how long" },
  },
  run: runMessageCost,
};

async function runMessageCost(context: Context): Promise<Result> {
  const { say, one } = context;
  const [rate, seconds] = [one("rate"), one("seconds")];
  await using rig = await startRig(context, { users: usersForRate(rate) });
  const { run, users, settled, databaseUrl } = rig;
  const warmed = await warm(rig);
  const resting = await readCounters(databaseUrl, run);
  const before = await readCounters(databaseUrl, run);
  say(`${rate} msg/s for ${seconds} s`);
  const startedAtMs = performance.now();
  const { sent, refused } = await makeLoad(run, { count: rate * seconds, perSecond: rate, users });
  const { lastAtMs } = await settled(warmed + sent.length);
  const tookSeconds = (performance.now() - startedAtMs) / 1_000;
  const { commits, rollbacks, rowWrites, rpcs } = countedBetween(before, await readCounters(databaseUrl, run));
  const atRest = countedBetween(resting, before);
  const per = (count: number): string => (count / sent.length).toFixed(2);
  const listed = (head: string, counts: Record<string, number>): string[][] => [
    [head, "per message"],
    ...Object.entries(counts).map(([name, count]) => [name, per(count)]),
  ];
  return {
    figures: {
      rate,
      messages: sent.length,
      refused,
      lastAtMs,
      tookSeconds,
      commits,
      rollbacks,
      rowWrites,
      rpcs,
      atRest,
    },
    rows: [
      { what: `commits of a message at ${rate} msg/s`, seen: per(commits), target: "≤ 5" },
      { what: "row writes of a message", seen: per(sumOf(rowWrites)), target: "≤ 24" },
      { what: "gRPC calls of a message", seen: per(sumOf(rpcs)), target: "≤ 7" },
    ],
    details: [
      { title: "Row writes by table", rows: listed("table", rowWrites) },
      { title: "Calls by method", rows: listed("method", rpcs) },
    ],
  };
}
