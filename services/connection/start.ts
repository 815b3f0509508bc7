// Opens the connection process' parts in order; disposing gives the lease back first and closes the rest in reverse.
import { isIPv6 } from "node:net";
import { createClient, startGrpc } from "#lib/grpc.ts";
import { createRegistry, startHttp } from "#lib/http.ts";
import type { GrpcTls } from "#lib/grpc-tls.ts";
import type { Started } from "#lib/lifecycle.ts";
import { createLog, type Log } from "#lib/log.ts";
import { startTelemetry } from "#lib/telemetry.ts";
import { openTls } from "#lib/tls.ts";
import { BillingService } from "#proto/heliograph/billing/v1/billing_pb.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { QualityService } from "#proto/heliograph/quality/v1/quality_pb.ts";
import { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import type { Config } from "./config.ts";
import type { Clocks } from "./domain/lease-clock.ts";
import type { Look } from "./domain/outcome.ts";
import { createFactsSource } from "./facts.ts";
import { listenForHints } from "./hints.ts";
import { createMetrics, idle } from "./metrics.ts";
import { Scheduler } from "./scheduler.ts";
import { upstreamServer } from "./server.ts";
import { Session } from "./session.ts";
import { createTemplateCache } from "./template-cache.ts";
import { watchToken } from "./token.ts";
import { createUpstream } from "./upstream.ts";

type Options = {
  config: Config;
  /** What messages and windows are judged by; tests may move it. */
  now: () => Date;
  /** The machine's own clocks: leases and pace go by these. */
  clocks: () => Clocks;
};

export type Connection = Started & { address: string; http: string; done: Promise<number> };

export async function startConnection({ config, now, clocks }: Options): Promise<Connection> {
  await using opened = new AsyncDisposableStack();
  const phoneNumberId = config.PHONE_NUMBER_ID;
  const log = createLog({ service: "connection", level: config.LOG_LEVEL }).child({ phoneNumberId });
  opened.use(await startTelemetry("connection", config));
  const registry = createRegistry("connection");
  const tls = opened.use(openTls(config, { log, registry }));
  // Both appear later: the session when everything it needs is open, the scheduler when the lease is granted.
  const current: Current = {};
  const metrics = createMetrics(registry, () => ({
    ...(current.scheduler?.snapshot() ?? idle),
    leaseRemainingMs: current.session?.lease?.remainingMs() ?? 0,
  }));
  const token = watchToken({ path: config.ACCESS_TOKEN_FILE, nowMs: () => clocks().monotonicMs, log });
  const peers = openPeers(opened, config, log, tls.grpc);
  const templates = createTemplateCache({ ...peers, nowMs: () => clocks().monotonicMs });
  const facts = createFactsSource({ ...peers, phoneNumberId, templates, now, log });
  const upstream = opened.use(createUpstream({ config, token }));
  const services = [upstreamServer({ phoneNumberId, upstream, token, now, ...partsOf(current) })];
  const listen = { host: config.LISTEN_HOST, log, registry };
  const grpc = opened.use(await startGrpc({ ...listen, port: config.GRPC_PORT, services, tls: tls.grpc }));
  const checks = { lease: () => current.session?.lease !== undefined };
  const liveness = livenessOf(current);
  const http = opened.use(await startHttp({ ...listen, port: config.HTTP_PORT, checks, liveness }));
  const hints = opened.use(
    listenForHints({
      url: config.NATS_URL,
      tls: tls.nats,
      phoneNumberId,
      log,
      onWake: () => current.scheduler?.wake(),
      onFence: () => current.session?.fence(),
      onLeaseFree: () => current.session?.leaseFree(),
      onAccount(field) {
        templates.drop();
        if (field === "phone_number_quality_update") current.scheduler?.look();
      },
    }),
  );
  const shared = { config, ...peers, clocks, log, metrics };
  const session = new Session({
    ...shared,
    address: addressOf(config.ADVERTISED_HOST, grpc.port),
    startSending(lease, onFenced) {
      hints.followAccount(lease.number()?.wabaId ?? "");
      current.scheduler = new Scheduler({ ...shared, lease, facts, upstream, token, now, onFenced });
      current.scheduler.wake();
      current.scheduler.look();
      return current.scheduler;
    },
  });
  current.session = opened.use(session);
  log.info({ grpc: grpc.address, http: http.url }, "connection is up");
  const running = opened.move();
  const { done } = session;
  return { address: grpc.address, http: http.url, done, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

function addressOf(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

type Current = { session?: Session; scheduler?: Scheduler };

function livenessOf(current: Current) {
  const stuck = (): readonly string[] => current.session?.stuck() ?? [];
  return {
    session: () => !stuck().includes("session"),
    renew: () => !stuck().includes("renew"),
    send: () => !stuck().includes("send"),
  };
}

/** What the Upstream service needs of the parts that are there at the moment. */
function partsOf(current: Current) {
  return {
    number: () => current.session?.lease?.number(),
    pace: (recipients: readonly string[]) => current.scheduler?.pace(recipients),
    onLook: (look: Look): void => current.scheduler?.looked(look),
  };
}

function openPeers(opened: AsyncDisposableStack, config: Config, log: Log, tls: GrpcTls | undefined) {
  return {
    messages: opened.use(createClient(MessagesService, config.MESSAGES_ADDRESS, { log, tls })),
    templates: opened.use(createClient(TemplatesService, config.TEMPLATES_ADDRESS, { log, tls })),
    billing: opened.use(createClient(BillingService, config.BILLING_ADDRESS, { log, tls })),
    quality: opened.use(createClient(QualityService, config.QUALITY_ADDRESS, { log, tls })),
  };
}
