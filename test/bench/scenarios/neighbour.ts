// How long a number's messages wait alone, beside a number whose upstream takes long, and, to tell that from plain load, beside one
// whose upstream does not. All in one run, in turn, at one rate.
import { middleAndTail, ms } from "../format.ts";
import { acceptMs, makeLoad, waitsMs } from "../load-maker.ts";
import { type Rig, startRig, usersForRate, warm } from "../rig.ts";
import type { Context, Result, Scenario } from "../scenario.ts";
import { acceptances, inflict } from "../simulated.ts";
import { percentiles } from "../statistics.ts";

const measuredNumber = "orders";
const other = "care";
const ways = ["alone", "beside a quick one", "beside a slow one"] as const;
type Way = (typeof ways)[number];

export const neighbour: Scenario = {
  name: "neighbour",
  about: "a number's wait beside another whose upstream takes long",
  isLong: false,
  options: {
    rate: { usual: [20], help: "messages a second, of each number" },
    rounds: { usual: [3], help: "how often each way has its turn" },
    seconds: { usual: [20], help: "length of a turn" },
    "slow-seconds": { usual: [10], help: "how long the other's upstream takes" },
  },
  run: runNeighbour,
};

async function runNeighbour(context: Context): Promise<Result> {
  const { say, one } = context;
  const rate = one("rate");
  await using rig = await startRig(context, { users: usersForRate(rate) });
  const { run, settled } = rig;
  let sent = await warm(rig);
  const waits: Record<Way, number[][]> = { alone: [], "beside a quick one": [], "beside a slow one": [] };
  const accepts: Record<Way, number[]> = { alone: [], "beside a quick one": [], "beside a slow one": [] };
  for (let round = 1; round <= one("rounds"); round++) {
    for (const way of ways) {
      say(`round ${round}: ${way}`);
      const turn = await play(rig, way, rate, one("seconds"), one("slow-seconds"));
      sent += turn.sent;
      await settled(sent);
      waits[way].push(waitsMs(turn.load, (await acceptances(run)).taken));
      accepts[way].push(acceptMs(turn.load).p95);
    }
  }
  const seen = ways.map((way) => ({
    way,
    wait: percentiles(waits[way].flat()),
    p95OfRounds: waits[way].map((values) => percentiles(values).p95),
    acceptP95OfRounds: accepts[way],
  }));
  const p95 = (way: Way): number => percentiles(waits[way].flat()).p95;
  return {
    figures: { rate, seen },
    rows: [
      ...seen.map(({ way, wait }) => ({
        what: `accept → WhatsApp at ${rate} msg/s, ${way}, p50 / p95`,
        seen: middleAndTail(wait),
        target: "",
      })),
      {
        what: `p95 more beside one that takes ${one("slow-seconds")} s than alone`,
        seen: ms(p95("beside a slow one") - p95("alone")),
        target: "≤ 10 ms",
      },
      {
        what: "p95 more beside a quick one than alone",
        seen: ms(p95("beside a quick one") - p95("alone")),
        target: "",
      },
    ],
    details: [
      {
        title: "p95 of accept → WhatsApp by round",
        rows: [
          ["way", ...waits.alone.map((_, index) => String(index + 1))],
          ...seen.map(({ way, p95OfRounds }) => [way, ...p95OfRounds.map(ms)]),
        ],
      },
    ],
  };
}

async function play({ run, users }: Rig, way: Way, rate: number, seconds: number, slowSeconds: number) {
  const otherId = run.numbers.find(({ name }) => name === other)?.phoneNumberId;
  const slow = { kind: "slow", ms: slowSeconds * 1_000, match: { phoneNumberId: otherId, path: "/messages" } };
  const end = way === "beside a slow one" ? await inflict(run, slow) : undefined;
  const load = { count: rate * seconds, perSecond: rate, users };
  const [measured, beside] = await Promise.all([
    makeLoad(run, load, [measuredNumber]),
    way === "alone" ? undefined : makeLoad(run, load, [other]),
  ]);
  await end?.();
  return { load: measured, sent: measured.sent.length + (beside?.sent.length ?? 0) };
}
