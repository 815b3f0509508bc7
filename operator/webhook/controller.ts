// The controller of WebhookSubscriptions.
import type { Logger } from "pino";
import type { Client as GrpcClient } from "#lib/grpc.ts";
import type { WebhooksService } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import { createKindController } from "../kind-controller.ts";
import { webhookSubscriptions } from "../kinds.ts";
import type { Client } from "../runtime/client.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Controller } from "../runtime/controller.ts";
import type { Recorder } from "../runtime/events.ts";
import type { RuntimeMetrics } from "../runtime/metrics.ts";
import { createQueue } from "../runtime/queue.ts";
import { createWrittenVersions } from "../runtime/written-versions.ts";
import type { Secrets } from "../secrets.ts";
import { createStatusWriter } from "../status-writer.ts";
import type { Watches } from "../watches.ts";
import { executeSubscription } from "./execute.ts";
import { followSubscriptions } from "./known-subscriptions.ts";
import { createMemories } from "./memory.ts";
import { subscriptionObserver } from "./observe.ts";
import { planSubscription } from "./plan.ts";
import { wakeSubscriptions } from "./wakes.ts";

export type WebhookControllerOptions = {
  /** Fenced: writes as leader only. */
  client: Client;
  watches: Watches;
  secrets: Secrets;
  services: { webhooks: GrpcClient<typeof WebhooksService> };
  recorder: Recorder;
  clock: Clock;
  random: Random;
  metrics: RuntimeMetrics;
  log: Logger;
};

/** Collects keys from now on, works from start() on. Must be made before anything is awaited after the watches began. */
export function createWebhookController(options: WebhookControllerOptions): Controller {
  const { watches, clock, random, metrics, log } = options;
  const { webhooks } = options.services;
  const { store } = watches.subscriptions;
  const name = "webhook";
  const queue = createQueue({ name, clock, random, metrics });
  const written = createWrittenVersions();
  const memories = createMemories(clock.monotonicMs);
  const known = followSubscriptions({ webhooks, clock, log });
  const fieldManager = "heliograph-webhook";
  const writer = createStatusWriter({ ...options, resource: webhookSubscriptions, store, written, fieldManager });
  wakeSubscriptions({ ...options, known, queue });
  const controller = createKindController({
    ...options,
    name,
    kind: webhookSubscriptions.kind,
    queue,
    store,
    written,
    observe: subscriptionObserver({ ...options, known, memories }),
    plan: ({ facts }) => planSubscription(facts),
    execute: (execution, work) => executeSubscription({ ...options, webhooks, known, writer }, execution, work),
    forget: (key) => memories.forget(key),
  });
  return {
    ...controller,
    async [Symbol.asyncDispose]() {
      await controller[Symbol.asyncDispose]();
      await known[Symbol.asyncDispose]();
    },
  };
}
