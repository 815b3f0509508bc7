// The metrics of processes, as Prometheus reads them.
import type { RunFile } from "#test/system.ts";

export type Series = { name: string; labels: Readonly<Record<string, string>>; value: number };

/** Every series of a text in the exposition format; none of our label values has quotes in it. */
export function parseSeries(text: string): Series[] {
  return Array.from(text.matchAll(/^([a-z_]+)(?:\{([^}]*)\})? (\S+)$/gm), ([, name = "", labels = "", value]) => ({
    name,
    labels: Object.fromEntries(
      Array.from(labels.matchAll(/(\w+)="([^"]*)"/g), ([, key = "", text = ""]) => [key, text]),
    ),
    value: Number(value),
  }));
}

export async function scrape(http: string): Promise<Series[]> {
  return parseSeries(await (await fetch(`${http}/metrics`)).text());
}

/** Of all processes that have any. */
export async function scrapeAll({ processes }: RunFile): Promise<Series[]> {
  const all = await Promise.all(processes.flatMap(({ http }) => (http === null ? [] : [scrape(http)])));
  return all.flat();
}

/** The value of a metric of one process, 0 where it is not there yet. */
export async function scrapeOne(
  { processes }: RunFile,
  process: string,
  metric: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const http = processes.find(({ name }) => name === process)?.http;
  if (http === undefined || http === null) throw new Error(`process ${process} has no metrics`);
  const found = (await scrape(http)).find(
    (series) => series.name === metric && Object.entries(labels).every(([key, value]) => series.labels[key] === value),
  );
  return found?.value ?? 0;
}
