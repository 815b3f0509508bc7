// The dashboards as Grafana reads them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { chartFolder } from "./render.ts";

export const dashboardNames = ["fleet", "number"] as const;

const dashboardSchema = z.looseObject({
  uid: z.string(),
  title: z.string(),
  templating: z.object({ list: z.array(z.looseObject({ name: z.string() })) }),
  panels: z.array(
    z.looseObject({
      id: z.number(),
      title: z.string(),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.looseObject({ refId: z.string(), expr: z.string() })).min(1),
    }),
  ),
});

export function readDashboard(name: (typeof dashboardNames)[number]) {
  return dashboardSchema.parse(JSON.parse(readFileSync(join(chartFolder, `files/dashboards/${name}.json`), "utf8")));
}
