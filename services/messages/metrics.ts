// Every metric of the ledger.
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

export type Metrics = ReturnType<typeof createMetrics>;

/** `readQueueDepth` is asked at each scrape. */
export function createMetrics(registry: Registry, readQueueDepth: () => number) {
  const registers = [registry];
  const queueDepth = new Gauge({
    name: "messages_queue_items",
    help: "Calls that wait for a commit of the ledger",
    registers,
    collect: () => queueDepth.set(readQueueDepth()),
  });
  return {
    acceptSeconds: new Histogram({
      name: "messages_accept_seconds",
      help: "Time from a Send's arrival until it is durable",
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
      registers,
    }),
    commitSeconds: new Histogram({
      name: "messages_commit_seconds",
      help: "Duration of a commit of the ledger",
      buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 1],
      registers,
    }),
    commitItems: new Histogram({
      name: "messages_commit_items",
      help: "Calls that share a commit of the ledger",
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
      registers,
    }),
    failedCommits: new Counter({
      name: "messages_failed_commits_total",
      help: "Commits of the ledger that failed, by whether Postgres was away",
      labelNames: ["why"],
      registers,
    }),
    transitions: new Counter({
      name: "messages_transitions_total",
      help: "Messages that came to a state",
      labelNames: ["state"],
      registers,
    }),
    refused: new Counter({
      name: "messages_refused_total",
      help: "Sends that were not accepted",
      labelNames: ["reason"],
      registers,
    }),
    ingested: new Counter({
      name: "messages_ingested_total",
      help: "News from WhatsApp: new inbound messages, statuses passed on, account updates, entries that could not be read",
      labelNames: ["kind"],
      registers,
    }),
    grants: new Counter({
      name: "messages_lease_grants_total",
      help: "Leases granted",
      labelNames: ["cause"],
      registers,
    }),
  };
}
