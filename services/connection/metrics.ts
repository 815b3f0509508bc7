// Every metric of a connection process. There is one process per number, so each series counts 5,000 times: at most 60 in all.
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** What is read at the moment of a scrape. */
export type Snapshot = {
  leaseRemainingMs: number;
  paceTarget: number;
  paceUsed: number;
  heldReply: number;
  heldBulk: number;
  inFlight: number;
  unreported: number;
  isResting: boolean;
};

/** Before the lease is held. */
export const idle: Snapshot = {
  leaseRemainingMs: 0,
  paceTarget: 0,
  paceUsed: 0,
  heldReply: 0,
  heldBulk: 0,
  inFlight: 0,
  unreported: 0,
  isResting: false,
};

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics(registry: Registry, read: () => Snapshot) {
  const registers = [registry];
  function gauge(name: string, help: string, valueOf: (snapshot: Snapshot) => number): void {
    new Gauge({
      name: `heliograph_connection_${name}`,
      help,
      registers,
      collect() {
        this.set(valueOf(read()));
      },
    });
  }
  gauge(
    "lease_remaining_seconds",
    "How long this process may still send without another renewal",
    ({ leaseRemainingMs }) => leaseRemainingMs / 1_000,
  );
  gauge("pace_target", "Messages per second that may go, throttling included", ({ paceTarget }) => paceTarget);
  gauge("pace_used", "Messages that went in the last second", ({ paceUsed }) => paceUsed);
  gauge("held_reply", "Messages of the reply lane in memory, waiting for their turn", ({ heldReply }) => heldReply);
  gauge("held_bulk", "Messages of the bulk lane in memory, waiting for their turn", ({ heldBulk }) => heldBulk);
  gauge("in_flight", "Messages between Begin and their outcome", ({ inFlight }) => inFlight);
  gauge("unreported", "Outcomes that the messages service has not confirmed yet", ({ unreported }) => unreported);
  gauge(
    "resting",
    "1 while the upstream refuses the number or is silent, so that nothing goes, or one message at a time",
    ({ isResting }) => Number(isResting),
  );
  return {
    acceptToWire: new Histogram({
      name: "heliograph_connection_accept_to_wire_seconds",
      help: "From the acceptance of a message to the first byte of its first attempt",
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 600],
      registers,
    }),
    outcomes: new Counter({
      name: "heliograph_connection_outcomes_total",
      help: "Messages that left memory: not_admitted, expired, dropped before the wire; taken, refused, waiting, unknown after it",
      labelNames: ["outcome"],
      registers,
    }),
    leaseState: new Gauge({
      name: "heliograph_connection_lease_state",
      help: "0 standby, 1 held, 2 draining, 3 ended",
      registers,
    }),
    renewalFailures: new Counter({
      name: "heliograph_connection_renewal_failures_total",
      help: "Renewals that were not answered",
      registers,
    }),
  };
}
