// Every metric of billing.
import { Counter, type Registry } from "prom-client";

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics(registry: Registry) {
  return {
    opened: new Counter({
      name: "billing_windows_opened_total",
      help: "Customer service windows opened or prolonged",
      registers: [registry],
    }),
    ignored: new Counter({
      name: "billing_events_ignored_total",
      help: "Events that could not be used: malformed, or incomplete (no user, no time)",
      labelNames: ["why"],
      registers: [registry],
    }),
  };
}
