// What processes cost, as tables.
import { mib } from "./format.ts";
import type { Cost } from "./proc.ts";
import type { Detail } from "./scenario.ts";

export function totalCpu(costs: Record<string, Cost>): number {
  return Object.values(costs).reduce((sum, { cpuSecondsPer1000 }) => sum + cpuSecondsPer1000, 0);
}

export function perProcess(title: string, costs: Record<string, Cost>): Detail {
  return {
    title,
    rows: [
      ["process", "CPU s per 1,000", "MiB (PSS)", "MiB (RSS)"],
      ...Object.entries(costs).map(([name, { cpuSecondsPer1000, pssMiB, rssMiB }]) => [
        name,
        cpuSecondsPer1000.toFixed(2),
        mib(pssMiB),
        mib(rssMiB),
      ]),
      ["all", totalCpu(costs).toFixed(2), "", ""],
    ],
  };
}
