// Every metric of the runtime, under the names that dashboards made for Go operators know.
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { createFollowedGauge } from "./followed-gauge.ts";

export type RuntimeMetrics = ReturnType<typeof createRuntimeMetrics>;

const queueBuckets = [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300];
const reconcileBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function createRuntimeMetrics(registry: Registry) {
  const registers = [registry];
  return {
    requests: new Counter({
      name: "rest_client_requests_total",
      help: "Requests to the API server, by HTTP status; <error> where no answer came",
      labelNames: ["method", "code"],
      registers,
    }),
    watchAge: createFollowedGauge({
      name: "watch_last_event_age_seconds",
      help: "Time since a watch was last heard of, bookmarks included; above 120 it is blind",
      labelName: "kind",
      registers,
    }),
    watchRestarts: new Counter({
      name: "watch_restarts_total",
      help: "Watches begun again, by why the one before ended; timeout is the regular end",
      labelNames: ["kind", "reason"],
      registers,
    }),
    drift: new Counter({
      name: "cache_drift_total",
      help: "Objects that a cache had wrong when it was compared with the API server; must stay 0",
      labelNames: ["kind"],
      registers,
    }),
    leader: new Gauge({
      name: "leader_election_master_status",
      help: "1 in the process that leads",
      labelNames: ["name"],
      registers,
    }),
    events: new Counter({
      name: "events_recorded_total",
      help: "Kubernetes events, by outcome: written, repeated, limited or failed",
      labelNames: ["outcome"],
      registers,
    }),
    ...queueMetrics(registers),
    ...reconcileMetrics(registers),
  };
}

function queueMetrics(registers: Registry[]) {
  const labelNames = ["name"] as const;
  return {
    queueDepth: new Gauge({ name: "workqueue_depth", help: "Keys that wait for a worker", labelNames, registers }),
    queueAdds: new Counter({ name: "workqueue_adds_total", help: "Keys added", labelNames, registers }),
    queueRetries: new Counter({
      name: "workqueue_retries_total",
      help: "Keys added after a failure",
      labelNames,
      registers,
    }),
    unfinishedWork: createFollowedGauge({
      name: "workqueue_unfinished_work_seconds",
      help: "How long the keys that workers have now have been with them, together",
      labelName: "name",
      registers,
    }),
    longestWork: createFollowedGauge({
      name: "workqueue_longest_running_processor_seconds",
      help: "How long the key that a worker has had longest has been with it",
      labelName: "name",
      registers,
    }),
    queueWait: new Histogram({
      name: "workqueue_queue_duration_seconds",
      help: "Time from becoming due to being taken",
      labelNames,
      buckets: queueBuckets,
      registers,
    }),
    queueWork: new Histogram({
      name: "workqueue_work_duration_seconds",
      help: "Time from being taken to being done",
      labelNames,
      buckets: queueBuckets,
      registers,
    }),
  };
}

function reconcileMetrics(registers: Registry[]) {
  return {
    reconciles: new Counter({
      name: "controller_runtime_reconcile_total",
      help: "Reconciles, by result: success, requeue_after, requeue or error",
      labelNames: ["controller", "result"],
      registers,
    }),
    reconcileErrors: new Counter({
      name: "controller_runtime_reconcile_errors_total",
      help: "Reconciles that failed and are tried again",
      labelNames: ["controller"],
      registers,
    }),
    terminalErrors: new Counter({
      name: "controller_runtime_terminal_reconcile_errors_total",
      help: "Reconciles that wait for a person to change something",
      labelNames: ["controller"],
      registers,
    }),
    reconcileTime: new Histogram({
      name: "controller_runtime_reconcile_time_seconds",
      help: "Length of a reconcile",
      labelNames: ["controller"],
      buckets: reconcileBuckets,
      registers,
    }),
    activeWorkers: new Gauge({
      name: "controller_runtime_active_workers",
      help: "Reconciles in progress",
      labelNames: ["controller"],
      registers,
    }),
  };
}
