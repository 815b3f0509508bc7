// Memory of processes over time, and whether it is flat.
import { type Process, sample } from "./proc.ts";
import { mib } from "./format.ts";
import { slopePerMinute } from "./statistics.ts";

export type Moment = { atMs: number; rssMiB: Record<string, number>; pssMiB: Record<string, number> };

export type Trend = {
  firstPssMiB: number;
  middlePssMiB: number;
  lastPssMiB: number;
  mostPssMiB: number;
  /** MiB per minute, by least squares over the second half of the time. */
  rssSlope: number;
  pssSlope: number;
};

/** Takes a sample at once and each `everyMs`, until `stop`, which takes the last. */
export function watchMemory(
  processes: readonly Process[],
  everyMs: number,
): Disposable & { latest(): Moment; stop(): Moment[] } {
  const moments: Moment[] = [take(processes)];
  const timer = setInterval(() => moments.push(take(processes)), everyMs);
  return {
    latest: () => moments.at(-1) ?? take(processes),
    stop() {
      clearInterval(timer);
      moments.push(take(processes));
      return moments;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

function take(processes: readonly Process[]): Moment {
  const usage = [...sample(processes)];
  return {
    atMs: performance.now(),
    rssMiB: Object.fromEntries(usage.map(([name, { rssMiB }]) => [name, rssMiB])),
    pssMiB: Object.fromEntries(usage.map(([name, { pssMiB }]) => [name, pssMiB])),
  };
}

/** By process. */
export function trendsOf(moments: readonly Moment[]): Record<string, Trend> {
  const secondHalf = moments.slice(Math.floor(moments.length / 2));
  const names = Object.keys(moments[0]?.pssMiB ?? {});
  return Object.fromEntries(
    names.map((name) => {
      const pss = moments.map(({ pssMiB }) => pssMiB[name] ?? Number.NaN);
      const slopeOf = (read: (moment: Moment) => number | undefined): number =>
        slopePerMinute(secondHalf.map((moment) => ({ atMs: moment.atMs, value: read(moment) ?? Number.NaN })));
      const trend = {
        firstPssMiB: pss[0] ?? Number.NaN,
        middlePssMiB: secondHalf[0]?.pssMiB[name] ?? Number.NaN,
        lastPssMiB: pss.at(-1) ?? Number.NaN,
        mostPssMiB: Math.max(...pss),
        rssSlope: slopeOf(({ rssMiB }) => rssMiB[name]),
        pssSlope: slopeOf(({ pssMiB }) => pssMiB[name]),
      };
      return [name, trend];
    }),
  );
}

/** Columns of a table: the head, then those of a process. */
export const trendHead = ["MiB first", "half way", "last", "most", "MiB/min (PSS)", "MiB/min (RSS)"];

export function trendCells(trend: Trend | undefined): string[] {
  if (trend === undefined) return trendHead.map(() => "");
  const { firstPssMiB, middlePssMiB, lastPssMiB, mostPssMiB, pssSlope, rssSlope } = trend;
  return [
    ...[firstPssMiB, middlePssMiB, lastPssMiB, mostPssMiB].map(mib),
    ...[pssSlope, rssSlope].map((slope) => slope.toFixed(2)),
  ];
}
