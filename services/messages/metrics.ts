// Every metric of the ledger.
import { Counter, type CounterConfiguration, Gauge, Histogram, type Registry } from "prom-client";

export type Metrics = ReturnType<typeof createMetrics>;

/** `readQueueDepth` is asked at each scrape. */
export function createMetrics(registry: Registry, readQueueDepth: () => number) {
  const registers = [registry];
  const counter = <Label extends string>(
    name: string,
    help: string,
    labelNames: CounterConfiguration<Label>["labelNames"],
  ) => new Counter({ name, help, registers, ...(labelNames !== undefined && { labelNames }) });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name, help, registers, buckets });
  return {
    queueDepth: new Gauge({
      name: "messages_queue_items",
      help: "Calls that wait for a commit of the ledger",
      registers,
      collect() {
        this.set(readQueueDepth());
      },
    }),
    acceptSeconds: histogram(
      "messages_accept_seconds",
      "Time from a Send's arrival until it is durable",
      [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    ),
    commitSeconds: histogram(
      "messages_commit_seconds",
      "Duration of a commit of the ledger",
      [0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 1],
    ),
    commitItems: histogram(
      "messages_commit_items",
      "Calls that share a commit of the ledger",
      [1, 2, 4, 8, 16, 32, 64, 128, 256],
    ),
    failedCommits: counter(
      "messages_failed_commits_total",
      "Commits of the ledger that failed: Postgres was unavailable, or an item at fault",
      ["why"],
    ),
    transitions: counter("messages_transitions_total", "Messages that came to a state", ["state"]),
    refused: counter("messages_refused_total", "Sends that were not accepted", ["reason"]),
    ingested: counter(
      "messages_ingested_total",
      "News from WhatsApp: new inbound messages, statuses passed on, account updates, entries that could not be read",
      ["kind"],
    ),
    grants: counter("messages_lease_grants_total", "Leases granted", ["cause"]),
    fenceRejections: counter(
      "messages_fence_rejections_total",
      "Calls that a lease refused: of holders whose term is over, and of pods of older epochs",
      ["call"],
    ),
  };
}
