// Every metric of quality.
import { Counter, type Registry } from "prom-client";

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics(registry: Registry) {
  return {
    reserves: new Counter({
      name: "quality_reserves_total",
      help: "Messages asked about, by verdict: reserved, held (asked before), limit_reached, number_restricted",
      labelNames: ["verdict"],
      registers: [registry],
    }),
    refreshes: new Counter({
      name: "quality_refreshes_total",
      help: "Readings of a number's facts from WhatsApp, by outcome: saved, or our reason of the failure",
      labelNames: ["outcome"],
      registers: [registry],
    }),
    ignored: new Counter({
      name: "quality_events_ignored_total",
      help: "Events that could not be read",
      registers: [registry],
    }),
  };
}
