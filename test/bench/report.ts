// The bench's figures as the Markdown tables that docs/benchmarks.md shows.
import type { BurstFigures, Cost, IdleFigures, SteadyFigures } from "./scenarios.ts";
import { type Percentiles, table } from "./statistics.ts";

export type Figures = {
  at: string;
  machine: { cores: number; model: string; memoryGiB: number };
  node: string;
  idle: IdleFigures;
  steady: SteadyFigures;
  burst: BurstFigures;
};

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

function spread({ p50, p95, p99 }: Percentiles): string {
  return `${ms(p50)} / ${ms(p95)} / ${ms(p99)}`;
}

function total(costs: Record<string, Cost>, key: keyof Cost): number {
  return Object.values(costs).reduce((sum, cost) => sum + cost[key], 0);
}

/** Targets of the design beside what was seen; whether one is met is for the reader to see. */
function summary({ idle, steady, burst }: Figures): string {
  return table([
    ["what", "seen", "target"],
    [
      `accept latency at ${steady.perSecond} msg/s, p50 / p95 / p99`,
      spread(steady.acceptMs),
      "p99 ≤ 25 ms at 100 msg/s",
    ],
    [`accept → WhatsApp at ${steady.perSecond} msg/s, p50 / p95 / p99`, spread(steady.acceptToPhoneMs), "p50 ≤ 15 ms"],
    ["whole system, two numbers, every status delivered", `${burst.endToEndPerSecond.toFixed(0)} msg/s`, "≥ 150 msg/s"],
    ["of that, accepted", `${burst.acceptedPerSecond.toFixed(0)} msg/s`, ""],
    ["accept latency in the burst, p50 / p95 / p99", spread(burst.acceptMs), ""],
    ["CPU seconds per 1,000 messages, all processes, steady", total(steady.costs, "cpuSecondsPer1000").toFixed(2), ""],
    ["CPU seconds per 1,000 messages, all processes, burst", total(burst.costs, "cpuSecondsPer1000").toFixed(2), ""],
    ["first start (initdb, migrations)", `${(idle.firstStartMs / 1_000).toFixed(1)} s`, "≤ 20 s"],
    ["next start", `${(idle.nextStartMs / 1_000).toFixed(1)} s`, "≤ 20 s"],
  ]);
}

function perProcess({ idle, steady, burst }: Figures): string {
  const names = Object.keys(burst.costs);
  const cpu = (costs: Record<string, Cost>, name: string) => costs[name]?.cpuSecondsPer1000.toFixed(2) ?? "";
  const mib = (value: number | undefined) => (value === undefined ? "" : value.toFixed(0));
  return table([
    ["process", "idle MiB", "CPU s per 1,000, steady", "MiB, steady", "CPU s per 1,000, burst", "MiB, burst"],
    ...names.map((name) => [
      name,
      mib(idle.rssMiB[name]),
      cpu(steady.costs, name),
      mib(steady.costs[name]?.rssMiB),
      cpu(burst.costs, name),
      mib(burst.costs[name]?.rssMiB),
    ]),
  ]);
}

export function report(figures: Figures): string {
  const { at, machine, node, steady, burst } = figures;
  const refused = steady.refused + burst.refused;
  return [
    `${at.slice(0, 10)}, ${machine.cores} cores (${machine.model}), ${machine.memoryGiB} GiB, Node ${node}; ${steady.messages} messages steady, ${burst.messages} in the burst, ${refused} refused.`,
    "",
    summary(figures),
    "",
    perProcess(figures),
  ].join("\n");
}
