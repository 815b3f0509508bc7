// Every metric of webhooks. Endpoints are told apart by the name of their subscription; numbers are not.
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Log } from "#lib/log.ts";
import type { Queryable } from "#lib/postgres.ts";
import type { Directory } from "./directory.ts";
import { loadBacklogs } from "./history-store.ts";

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics(registry: Registry) {
  const registers = [registry];
  return {
    attempts: new Counter({
      name: "webhooks_attempts_total",
      help: "Attempts to deliver, by outcome: delivered or failed",
      labelNames: ["subscription", "outcome"],
      registers,
    }),
    dead: new Counter({
      name: "webhooks_dead_total",
      help: "Deliveries given up after the time that their subscription keeps trying",
      labelNames: ["subscription"],
      registers,
    }),
    ignored: new Counter({
      name: "webhooks_events_ignored_total",
      help: "Events that could not be used: malformed, or of an unknown subject",
      labelNames: ["why"],
      registers,
    }),
    delay: new Histogram({
      name: "webhooks_delivery_seconds",
      help: "Time from the event's arrival here to the endpoint's 2xx, retries included",
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 60, 900],
      registers,
    }),
  };
}

type Dependencies = { registry: Registry; db: Queryable; directory: Directory; log: Log };

// Counting reads an index of all that waits: a second's scrape must not make it a load of its own.
const backlogAgeMs = 10_000;

/** What waits, as the database has it. Read when metrics are scraped; while Postgres is away the last figures stand. */
export function observeBacklog({ registry, db, directory, log }: Dependencies): void {
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> = Promise.resolve();
  const collect = (): Promise<void> => {
    if (performance.now() - readAt >= backlogAgeMs) {
      readAt = performance.now();
      reading = read();
    }
    return reading;
  };
  const labelNames = ["subscription"];
  const registers = [registry];
  const waiting = new Gauge({
    name: "webhooks_waiting",
    help: "Deliveries that wait or are under way",
    labelNames,
    registers,
    collect,
  });
  const oldest = new Gauge({
    name: "webhooks_oldest_waiting_timestamp_seconds",
    help: "When the oldest delivery that waits arrived here, since 1970; no series if none waits",
    labelNames,
    registers,
    collect,
  });

  async function read(): Promise<void> {
    const names = new Map(directory.known().map(({ subscriptionId, name }) => [subscriptionId, name]));
    try {
      const backlogs = await loadBacklogs(db, [...names.keys()]);
      waiting.reset();
      oldest.reset();
      for (const backlog of backlogs) {
        const labels = { subscription: names.get(backlog.subscriptionId) ?? "" };
        waiting.set(labels, backlog.waiting);
        if (backlog.oldestWaitingAt !== undefined) oldest.set(labels, backlog.oldestWaitingAt.getTime() / 1_000);
      }
    } catch (error) {
      log.warn({ err: error }, "what waits cannot be counted");
    }
  }
}
