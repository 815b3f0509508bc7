// Opens the operator's parts in order. Every copy keeps its caches warm; the one that leads works.
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { createRegistry, startHttp } from "#lib/http.ts";
import type { Started } from "#lib/lifecycle.ts";
import { createLog } from "#lib/log.ts";
import { startTelemetry } from "#lib/telemetry.ts";
import { openTls, type Tls } from "#lib/tls.ts";
import { createAccountController } from "./account/controller.ts";
import { followAccountNews } from "./account/news.ts";
import type { Config } from "./config.ts";
import { type ConditionCount, createOperatorMetrics } from "./metrics.ts";
import { annotations } from "./names.ts";
import { createClassController } from "./number/class-controller.ts";
import { createNumberController } from "./number/controller.ts";
import { createFleet } from "./number/fleet.ts";
import type { PodSettings } from "./number/pod.ts";
import { followRegister } from "./number/register.ts";
import { upstreamActions } from "./number/upstream-actions.ts";
import { type Client, createClient } from "./runtime/client.ts";
import { systemClock } from "./runtime/clock.ts";
import type { Cluster } from "./runtime/cluster.ts";
import type { Controller } from "./runtime/controller.ts";
import { createRecorder } from "./runtime/events.ts";
import { fencedClient } from "./runtime/fenced-client.ts";
import { type Leader, takePart } from "./runtime/leader.ts";
import { createRuntimeMetrics, type RuntimeMetrics } from "./runtime/metrics.ts";
import { createTransport } from "./runtime/transport.ts";
import { openSecrets } from "./secrets.ts";
import { fencedServices, openServices } from "./services.ts";
import { createTemplateController } from "./template/controller.ts";
import { startWatches, type Watches } from "./watches.ts";
import { createWebhookController } from "./webhook/controller.ts";

export type Operator = Started & {
  http: string;
  /** Resolves when this copy leads, knows everything and works. */
  working: Promise<void>;
};

type Base = {
  config: Config;
  cluster: Cluster;
  identity: string;
  opened: AsyncDisposableStack;
  log: Logger;
  registry: Registry;
  metrics: RuntimeMetrics;
  tls: Tls;
};

const blindMs = 120_000;
const deadMs = 600_000;
const clock = systemClock;
const random = Math.random;

/** `done` resolves with 1 when leadership is lost: a new process begins from a clean state. */
export async function startOperator({ config, cluster }: Pick<Base, "config" | "cluster">): Promise<Operator> {
  await using opened = new AsyncDisposableStack();
  opened.use(await startTelemetry("operator", config));
  const log = createLog({ service: "operator", level: config.LOG_LEVEL });
  const registry = createRegistry("operator");
  const metrics = createRuntimeMetrics(registry);
  const tls = opened.use(openTls(config, { log, registry }));
  const identity = `${hostname()}_${randomUUID()}`;
  const base: Base = { config, cluster, identity, opened, log, registry, metrics, tls };
  const { watches, controllers, leader, settled } = openParts(base);
  const working = Promise.all([watches.synced, settled, leader.elected]).then(() => {
    // One that is stopping already begins nothing more.
    for (const controller of controllers) controller.start();
  });
  const http = opened.use(
    await startHttp({
      host: config.LISTEN_HOST,
      port: config.HTTP_PORT,
      registry,
      checks: { watches: () => watches.ageMs() < blindMs },
      liveness: { watches: () => watches.ageMs() < deadMs },
      log,
    }),
  );
  log.info({ http: http.url, identity }, "operator is up");
  const running = opened.move();
  const done = leader.lost.then(() => {
    for (const controller of controllers) controller.halt();
    return 1;
  });
  return { http: http.url, working, done, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Nothing is awaited in here: controllers follow the watches before these have told anything. */
function openParts(base: Base): {
  watches: Watches;
  controllers: Controller[];
  leader: Leader;
  settled: Promise<void>;
} {
  const { config, opened, log, metrics, registry, tls } = base;
  const client = openClient(base);
  const shared = { clock, random, metrics, log };
  const leader = opened.use(lead(base, client));
  const fenced = fencedClient(client, { term: leader.term, annotation: annotations.term });
  const services = fencedServices(opened.use(openServices(config, log, tls.grpc)), leader.term);
  const watches = opened.use(startWatches({ ...shared, client, namespace: config.WATCH_NAMESPACE }));
  const register = opened.use(
    followRegister({ ...shared, messages: services.messages, awayAfterMs: config.AWAY_AFTER_MS }),
  );
  const secrets = opened.use(openSecrets({ client, clock, log, everyMs: config.SECRETS_EVERY_MS }));
  const reporter = { controller: "heliograph.dev/operator", instance: base.identity.slice(0, 128) };
  const recorder = opened.use(createRecorder({ ...shared, ...reporter, client: fenced }));
  const operatorMetrics = createOperatorMetrics(registry, () => countConditions(watches));
  const room = {
    clock,
    random,
    metrics,
    operatorMetrics,
    log,
    client: fenced,
    watches,
    secrets,
    services,
    register,
    recorder,
    settings: settingsOf(config),
    fleet: createFleet(clock.monotonicMs),
  };
  // One for each kind; those of accounts, templates and subscriptions stand in rooms of their own.
  const controllers = [
    createNumberController({ ...room, upstream: upstreamActions(room) }),
    createClassController(room),
    createAccountController({
      ...room,
      news: opened.use(followAccountNews({ url: config.NATS_URL, log, tls: tls.nats })),
    }),
    createTemplateController(room),
    createWebhookController(room),
  ].map((controller) => opened.use(controller));
  return { watches, controllers, leader, settled: register.settled };
}

function openClient({ opened, cluster, metrics }: Base): Client {
  const stopping = new AbortController();
  const transport = opened.use(createTransport({ cluster, metrics, signal: stopping.signal }));
  opened.defer(() => stopping.abort());
  return createClient(transport);
}

function lead({ config, cluster, identity, log, metrics }: Base, client: Client): Leader {
  const { LEASE_SECONDS: leaseSeconds, RENEW_DEADLINE_MS: renewDeadlineMs, RETRY_MS: retryMs } = config;
  return takePart({
    client,
    namespace: config.LEASE_NAMESPACE ?? cluster.namespace,
    name: config.LEASE_NAME,
    identity,
    clock,
    random,
    metrics,
    log,
    timing: { leaseSeconds, renewDeadlineMs, retryMs },
  });
}

function settingsOf(config: Config): PodSettings {
  return {
    image: config.CONNECTION_IMAGE,
    version: config.HELIOGRAPH_VERSION,
    serviceAccountName: config.CONNECTION_SERVICE_ACCOUNT,
    upstreamUrl: config.UPSTREAM_URL,
    addresses: {
      MESSAGES_ADDRESS: config.CONNECTION_MESSAGES_ADDRESS ?? config.MESSAGES_ADDRESS,
      TEMPLATES_ADDRESS: config.CONNECTION_TEMPLATES_ADDRESS ?? config.TEMPLATES_ADDRESS,
      BILLING_ADDRESS: config.CONNECTION_BILLING_ADDRESS ?? config.BILLING_ADDRESS,
      QUALITY_ADDRESS: config.CONNECTION_QUALITY_ADDRESS ?? config.QUALITY_ADDRESS,
      NATS_URL: config.NATS_URL,
    },
    tlsSecrets: { grpc: config.CONNECTION_GRPC_TLS_SECRET, nats: config.CONNECTION_NATS_TLS_SECRET },
  };
}

function* countConditions({ numbers }: Watches): Generator<ConditionCount> {
  for (const { status } of numbers.store.objects()) {
    for (const condition of status?.conditions ?? [])
      yield { condition: condition.type, status: condition.status, reason: condition.reason };
  }
}
