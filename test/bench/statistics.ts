// Percentiles by nearest rank, slopes, and the tables that the bench prints.

/** The value that `share` (0 to 1) of the sorted values do not exceed. NaN for none. */
export function percentile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return Number.NaN;
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

export type Percentiles = { p50: number; p95: number; p99: number; max: number; count: number };

export function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    p50: percentile(sorted, 0.5),
    p95: percentile(sorted, 0.95),
    p99: percentile(sorted, 0.99),
    max: sorted.at(-1) ?? Number.NaN,
    count: sorted.length,
  };
}

export type Point = { atMs: number; value: number };

/** By least squares: how much the value grows in a minute. NaN for fewer than two points. */
export function slopePerMinute(points: readonly Point[]): number {
  const meanAt = mean(points.map(({ atMs }) => atMs));
  const meanValue = mean(points.map(({ value }) => value));
  let covariance = 0;
  let variance = 0;
  for (const { atMs, value } of points) {
    covariance += (atMs - meanAt) * (value - meanValue);
    variance += (atMs - meanAt) ** 2;
  }
  return (covariance / variance) * 60_000;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export type Gap = { fromMs: number; toMs: number; ms: number };

/** The longest time between two consecutive moments, of those gaps that end after `fromMs` and begin before `toMs`. */
export function longestGap(sortedMs: readonly number[], fromMs: number, toMs: number): Gap | undefined {
  let longest: Gap | undefined;
  for (const [index, end] of sortedMs.entries()) {
    const begin = sortedMs[index - 1];
    if (begin === undefined || end <= fromMs) continue;
    if (begin >= toMs) break;
    if (longest === undefined || end - begin > longest.ms) longest = { fromMs: begin, toMs: end, ms: end - begin };
  }
  return longest;
}

/** How many of the moments fall into each second since the first. */
export function perSecondOf(sortedMs: readonly number[]): number[] {
  const [first = 0] = sortedMs;
  const counts: number[] = [];
  for (const atMs of sortedMs) {
    const second = Math.floor((atMs - first) / 1_000);
    while (counts.length <= second) counts.push(0);
    counts[second] = (counts[second] ?? 0) + 1;
  }
  return counts;
}

/** A Markdown table; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]) =>
    `| ${widths.map((width, column) => (row[column] ?? "").padEnd(width)).join(" | ")} |`;
  const [head = [], ...body] = rows;
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...body.map(line)].join("\n");
}
