// What one connection process can send: its number rests until all messages are accepted, then it goes on with an open pacer.
// Twice: with WhatsApp's statuses held back until all is sent, so that it is the way out that is measured, and with statuses at once.
import { mib, perSecond } from "../format.ts";
import { makeLoad } from "../load-maker.ts";
import { costsBetween, sample } from "../proc.ts";
import { longestRestMs, oneNumber, rest, startRig, taken, usersForBurst, warm } from "../rig.ts";
import type { Context, Result, Scenario } from "../scenario.ts";
import { acceptances, inflict } from "../simulated.ts";
import { perSecondOf } from "../statistics.ts";

const name = oneNumber[0];
const slowestPerSecond = 50;
const holdBackMs = 80_000;
const concurrency = 32;

export const onlyNumber: Scenario = {
  name: "one-number",
  about: "messages a second through one connection process",
  isLong: false,
  options: { messages: { usual: [10_000], help: "accepted beforehand, while the number rests" } },
  run: runOneNumber,
};

async function runOneNumber(context: Context): Promise<Result> {
  const alone = await measure(context, true);
  const together = await measure(context, false);
  return {
    figures: { statusesHeldBack: alone, statusesAtOnce: together },
    rows: [
      { what: "one number, pacer open, statuses held back", seen: perSecond(alone.perSecond), target: "≥ 400 msg/s" },
      { what: "the same with all statuses coming in beside", seen: perSecond(together.perSecond), target: "" },
      {
        what: "CPU seconds of the connection process per 1,000, held back / beside",
        seen: `${alone.connection.cpuSecondsPer1000.toFixed(2)} / ${together.connection.cpuSecondsPer1000.toFixed(2)}`,
        target: "",
      },
      {
        what: "its memory afterwards, PSS / RSS",
        seen: `${mib(together.connection.pssMiB)} / ${mib(together.connection.rssMiB)} MiB`,
        target: "",
      },
    ],
    details: [],
  };
}

async function measure(context: Context, holdsBack: boolean) {
  const { say, one } = context;
  const messages = one("messages");
  await using rig = await startRig(context, { numbers: oneNumber, users: usersForBurst(messages) });
  const { run, users, settled, processes } = rig;
  const warmed = await warm(rig);
  if (holdsBack) await inflict(run, { kind: "webhook_delay", ms: holdBackMs });
  const goOn = await rest(rig, name);
  say(`${messages} messages are accepted while the number rests, statuses ${holdsBack ? "held back" : "at once"}`);
  const load = await makeLoad(run, { count: messages, concurrency, users });
  const all = load.sent.length + 1;
  const connection = processes.filter((process) => process.name === `connection-${name}`);
  const before = sample(connection);
  await goOn();
  say("the number goes on");
  await taken(rig, name, warmed + all, longestRestMs + (all / slowestPerSecond) * 1_000);
  const costs = costsBetween(before, sample(connection), all);
  const seen = await acceptances(run);
  const times = seen.taken.slice(warmed).map(({ atMs }) => atMs);
  const tookMs = (times.at(-1) ?? Number.NaN) - (times[0] ?? Number.NaN);
  await settled(warmed + all, ({ complete }) => say(`${complete} of ${warmed + all} have all statuses`));
  return {
    messages: times.length,
    refused: load.refused,
    twice: seen.twice,
    takenPerSecond: perSecondOf(times),
    acceptedPerSecond: (load.sent.length * 1_000) / (load.lastAtMs - load.firstAtMs),
    perSecond: ((times.length - 1) * 1_000) / tookMs,
    connection: costs[`connection-${name}`] ?? {
      cpuSecondsPer1000: Number.NaN,
      pssMiB: Number.NaN,
      rssMiB: Number.NaN,
    },
  };
}
