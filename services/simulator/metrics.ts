// What the simulator counts; no labels that grow with users or numbers.
import { Counter, Gauge, type Registry } from "prom-client";

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics(registry: Registry, read: { waitingNews: () => number; messages: () => number }) {
  const registers = [registry];
  return {
    graphRequests: new Counter({
      name: "simulator_graph_requests_total",
      help: "Graph requests, by HTTP status; cut for those without an answer",
      labelNames: ["status"],
      registers,
    }),
    faults: new Counter({
      name: "simulator_faults_total",
      help: "Faults that fired, by kind",
      labelNames: ["kind"],
      registers,
    }),
    webhookPosts: new Counter({
      name: "simulator_webhook_posts_total",
      help: "POSTs to the callback URL, by outcome: ok, failed, given_up",
      labelNames: ["outcome"],
      registers,
    }),
    webhookChanges: new Counter({
      name: "simulator_webhook_changes_total",
      help: "Pieces of news that were answered with 200",
      registers,
    }),
    waitingNews: new Gauge({
      name: "simulator_webhook_waiting",
      help: "Pieces of news not yet answered with 200",
      registers,
      collect() {
        this.set(read.waitingNews());
      },
    }),
    messages: new Gauge({
      name: "simulator_messages",
      help: "Messages in memory, both directions",
      registers,
      collect() {
        this.set(read.messages());
      },
    }),
  };
}
