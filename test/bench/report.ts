// What was measured, as the Markdown that docs/benchmarks.md shows.
import type { Result } from "./scenario.ts";
import { table } from "./statistics.ts";

export type Machine = { cores: number; model: string; memoryGiB: number; node: string };

export type Measured = {
  scenario: string;
  at: string;
  tookSeconds: number;
  /** The machine's, of the last minute, before it began. */
  loadBefore: number;
  /** The share of the cores that others had meanwhile, 0 to 1. */
  foreignShare: number;
} & ({ result: Result } | { failed: string });

// Above it the figures are not those of this machine alone.
const foreignLimit = 0.03;

export function report(machine: Machine, all: readonly Measured[]): string {
  const parts = [headline(machine, all), summary(all)];
  for (const measured of all) {
    const details = "result" in measured ? measured.result.details : [];
    for (const { title, rows } of details) parts.push(`**${measured.scenario}: ${title}**`, table(rows));
  }
  return `${parts.join("\n\n")}\n`;
}

function headline({ cores, model, memoryGiB, node }: Machine, all: readonly Measured[]): string {
  const day = all[0]?.at.slice(0, 10) ?? "";
  return `${day}, ${cores} cores (${model}), ${memoryGiB} GiB, Node ${node}.`;
}

function summary(all: readonly Measured[]): string {
  return table([
    ["scenario", "what", "seen", "target"],
    ...all.flatMap((measured) => {
      const { scenario, foreignShare } = measured;
      if ("failed" in measured) return [[scenario, "failed", inOneCell(measured.failed), ""]];
      const lines = measured.result.rows.map(({ what, seen, target }) => [scenario, what, seen, target]);
      const disturbed = [scenario, "other programs had of the cores", `${(foreignShare * 100).toFixed(0)} %`, "0 %"];
      return foreignShare > foreignLimit ? [...lines, disturbed] : lines;
    }),
  ]);
}

const longestCell = 200;

/** All of it is in the JSON. */
function inOneCell(text: string): string {
  const line = text.replaceAll(/[\s|]+/g, " ");
  return line.length > longestCell ? `${line.slice(0, longestCell)} …` : line;
}
