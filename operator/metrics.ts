// The operator's own series; those of its runtime have the names that dashboards for Go operators know. None has a label per number.
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

export type OperatorMetrics = ReturnType<typeof createOperatorMetrics>;

export type ConditionCount = { condition: string; status: string; reason: string };

/** `conditions` is asked at each scrape. */
export function createOperatorMetrics(registry: Registry, conditions: () => Iterable<ConditionCount>) {
  const registers = [registry];
  const numbers = new Gauge({
    name: "heliograph_operator_numbers",
    help: "WhatsAppNumbers, by what their conditions say",
    labelNames: ["condition", "status", "reason"],
    registers,
    collect() {
      numbers.reset();
      for (const labels of conditions()) numbers.inc(labels);
    },
  });
  return {
    numbers,
    advances: new Counter({
      name: "heliograph_operator_epochs_total",
      help: "Epochs begun, by why a number needed a new pod",
      labelNames: ["cause"],
      registers,
    }),
    takeover: new Histogram({
      name: "heliograph_operator_takeover_seconds",
      help: "From the beginning of an epoch to its pod holding the lease",
      labelNames: ["cause"],
      buckets: [0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300],
      registers,
    }),
    reconcileLag: new Histogram({
      name: "heliograph_operator_reconcile_lag_seconds",
      help: "From an edit of a number's spec to the operator's answer to it",
      buckets: [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
      registers,
    }),
  };
}
