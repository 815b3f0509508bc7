// Every metric of templates.
import { Counter, type Registry } from "prom-client";

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics(registry: Registry) {
  return {
    syncs: new Counter({
      name: "templates_syncs_total",
      help: "Readings of an account's templates from WhatsApp, by outcome: saved, or our reason of the failure",
      labelNames: ["outcome"],
      registers: [registry],
    }),
    unreadable: new Counter({
      name: "templates_unreadable_total",
      help: "Listed templates that could not be stored, each time they were listed",
      registers: [registry],
    }),
    undocumented: new Counter({
      name: "templates_undocumented_states_total",
      help: "Reports of a review state that Meta does not document; it is stored and not sendable",
      registers: [registry],
    }),
    ignored: new Counter({
      name: "templates_events_ignored_total",
      help: "Events that could not be read",
      registers: [registry],
    }),
  };
}
