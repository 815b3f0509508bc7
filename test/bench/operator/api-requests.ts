// What the API server was asked to write, as it counts itself, by resource and whoever asked.
import { get } from "node:https";
import { text } from "node:stream/consumers";
import type { Kube } from "#test/env/kube.ts";
import { parseSeries, type Series } from "../scrape.ts";

/** Totals since the start, by `resource/subresource`. */
export type Writes = Readonly<Record<string, number>>;

const writing = new Set(["POST", "PUT", "PATCH", "DELETE", "APPLY"]);

export async function readWrites({ url, ca, token }: Kube): Promise<Writes> {
  const metrics = await new Promise<string>((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    get(`${url}/metrics`, { ca, headers, agent: false }, (response) => {
      text(response).then(resolve, reject);
    }).on("error", reject);
  });
  // There are megabytes of other series.
  const lines = metrics.split("\n").filter((line) => line.startsWith("apiserver_request_total"));
  return writesOf(parseSeries(lines.join("\n")));
}

/** Dry runs are none. */
export function writesOf(series: readonly Series[]): Writes {
  const writes: Record<string, number> = {};
  for (const { name, labels, value } of series) {
    const { verb = "", resource = "", subresource = "", dry_run: dryRun = "" } = labels;
    if (name !== "apiserver_request_total" || !writing.has(verb) || dryRun !== "") continue;
    const what = subresource === "" ? resource : `${resource}/${subresource}`;
    writes[what] = (writes[what] ?? 0) + value;
  }
  return writes;
}

export function writesBetween(before: Writes, after: Writes): Writes {
  const grown = Object.entries(after).map(([what, count]): [string, number] => [what, count - (before[what] ?? 0)]);
  return Object.fromEntries(grown.filter(([, count]) => count > 0));
}

/** Of what belongs to the fleet: leases of nodes and leaders, and what kwok tells of nodes, are not. */
export function fleetWrites(writes: Writes): number {
  return Object.entries(writes)
    .filter(([what]) => !/^(leases|nodes|nodes\/status|subjectaccessreviews)$/.test(what))
    .reduce((sum, [, count]) => sum + count, 0);
}
