// Every metric of the gateway.
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics(registry: Registry) {
  const registers = [registry];
  return {
    requests: new Histogram({
      name: "gateway_request_seconds",
      help: "Time from a request's head to the end of its answer, by route and HTTP status",
      labelNames: ["route", "status"],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers,
    }),
    inFlight: new Gauge({
      name: "gateway_requests_in_flight",
      help: "Requests in work, their bodies held in memory",
      registers,
    }),
    overloaded: new Counter({
      name: "gateway_requests_overloaded_total",
      help: "Requests refused because too many, or too many bytes, were in work",
      registers,
    }),
    ingested: new Counter({
      name: "gateway_webhook_items_total",
      help: "What Meta's webhooks carried and the ledger took, by kind: status, inbound, account, unparsed",
      labelNames: ["kind"],
      registers,
    }),
    badSignatures: new Counter({
      name: "gateway_webhook_bad_signatures_total",
      help: "Webhooks refused because no app secret made their signature",
      registers,
    }),
  };
}
