// Opens the parts of messages in order; disposing closes them in reverse.
import type { Registry } from "prom-client";
import { createAsk } from "#admission/facts.ts";
import { createClient, type Service, startGrpc } from "#lib/grpc.ts";
import { createRegistry, startHttp } from "#lib/http.ts";
import { createLog, type Log } from "#lib/log.ts";
import { migrate } from "#lib/migrate.ts";
import { connectNats, type NatsConnection } from "#lib/nats.ts";
import { startPublisher } from "#lib/outbox.ts";
import { createPool, type Pool } from "#lib/postgres.ts";
import { startTelemetry } from "#lib/telemetry.ts";
import { openTls, type Tls } from "#lib/tls.ts";
import { BillingService } from "#proto/heliograph/billing/v1/billing_pb.ts";
import { QualityService } from "#proto/heliograph/quality/v1/quality_pb.ts";
import { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import type { Committed } from "./commit.ts";
import type { Config } from "./config.ts";
import { startDays } from "./days.ts";
import { createLeasing } from "./leasing.ts";
import { startLedger } from "./ledger.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { createQueueCounts } from "./queue-counts.ts";
import { settle } from "./recovery.ts";
import { startTelling } from "./recovery-news.ts";
import { startRegister } from "./register.ts";
import { createRenewals } from "./renewals.ts";
import { messagesServer } from "./server.ts";
import { countQueued } from "./store/claim.ts";
import { renewLeases } from "./store/leases.ts";
import { startSweeper } from "./sweeper.ts";
import { startRetention } from "./retention.ts";
import { hints, keepTopology, loadStream } from "./topology.ts";

type Options = {
  config: Config;
  now: () => Date;
  /** Breaks a start off that takes long. */
  signal?: AbortSignal;
};

type Process = Required<Options> & { opened: AsyncDisposableStack; log: Log; registry: Registry; tls: Tls };

export async function startMessages({ config, now, signal = new AbortController().signal }: Options) {
  await using opened = new AsyncDisposableStack();
  opened.use(await startTelemetry("messages", config));
  const log = createLog({ service: "messages", level: config.LOG_LEVEL });
  const registry = createRegistry("messages");
  const tls = opened.use(openTls(config, { log, registry }));
  const own = { config, now, signal, opened, log, registry, tls };
  const stores = await openStores(own);
  const service = await openService(own, stores);
  const http = opened.use(
    await startHttp({
      host: config.LISTEN_HOST,
      port: config.HTTP_PORT,
      registry,
      checks: { database: () => stores.db.query("select 1").then(() => true) },
      log,
    }),
  );
  const grpc = opened.use(
    await startGrpc({
      host: config.LISTEN_HOST,
      port: config.GRPC_PORT,
      services: [service],
      log,
      registry,
      tls: tls.grpc,
    }),
  );
  log.info({ grpc: grpc.address, http: http.url }, "messages is up");
  const running = opened.move();
  return { grpcAddress: grpc.address, httpUrl: http.url, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

async function openStores({ config, opened, log, registry, tls }: Process) {
  const database = { url: withPlanner(config.DATABASE_URL), log, tls: tls.database };
  const db = opened.use(createPool({ ...database, size: config.DATABASE_POOL_SIZE, applicationName: "messages" }));
  const writer = opened.use(
    createPool({ ...database, size: 1, applicationName: "messages ledger", ...ledgerTimeouts }),
  );
  const outbox = opened.use(createPool({ ...database, size: 1, applicationName: "messages outbox", pipeline: true }));
  await migrate({ pool: db, schema: "messages", directory: new URL("./migrations/", import.meta.url), log });
  const nc = opened.use(await connectNats({ url: config.NATS_URL, name: "messages", log, tls: tls.nats }));
  opened.use(await keepTopology(nc, config.NATS_REPLICAS, log));
  const publisher = opened.use(startPublisher({ pool: outbox, schema: "messages", nc, log, registry }));
  return { db, writer, nc, publisher };
}

const daysEveryMs = 3_600_000;

// A copy of the service that freezes between two statements must not hold up the others for long: its transaction is ended,
// and who waits for its rows gives up before that, so that the rest of a commit can go on without them. Told once
// for each connection, not with each begin.
const ledgerTimeouts = { pipeline: true, idleInTransactionMs: 5_000, lockTimeoutMs: 2_000 };

type Stores = Awaited<ReturnType<typeof openStores>>;

async function openService(own: Process, { db, writer, nc, publisher }: Stores): Promise<Service> {
  const { config, now, signal, opened, log, registry } = own;
  const { LEASE_MS: leaseMs, RENEW_EVERY_MS: renewEveryMs, STOP_AFTER_MS: stopAfterMs } = config;
  const register = opened.use(await startRegister({ db, nc, finishTimeoutMs: config.FINISH_TIMEOUT_MS, log }));
  const days = opened.use(await startDays({ db, now, everyMs: daysEveryMs, log }));
  const tell = (subject: string): void => hint(nc, subject, log);
  const metrics = createMetrics(registry, () => ledger.depth());
  const ledger = opened.use(
    startLedger({
      pool: writer,
      register,
      now,
      log,
      onCommit(committed, timing) {
        observe(metrics, committed, timing);
        for (const phoneNumberId of committed.wakes) tell(hints.wake(phoneNumberId));
        if (committed.hasEvents) publisher.poke();
      },
      onFailure: (why) => metrics.failedCommits.inc({ why }),
    }),
  );
  const onChange = (): void => {
    publisher.poke();
    register.refresh().catch((error: unknown) => log.warn({ err: error }, "register could not be read again"));
  };
  const recovery = { db, register, now, leaseMs, onChange, log };
  // Before anyone is served: a holder that the ledger still knows would send again what it forgot.
  if (config.RECOVER_SINCE !== undefined) await settle(recovery, config.RECOVER_SINCE, signal);
  opened.use(startTelling({ ...recovery, onEvents: publisher.poke }));
  const leasing = createLeasing({ db, register, now, leaseMs, renewEveryMs });
  opened.use(startSweeper({ db, ledger, leasing, days, now, onLapses: onChange, log }));
  opened.use(retain(own, db, nc));
  const counts = createQueueCounts((phoneNumberId, most) => countQueued(db, phoneNumberId, most), log);
  const renewals = createRenewals((all) => renewLeases(db, all, { leaseMs, now: now(), floor: days.floor() }));
  const times = { stopAfterMs, renewEveryMs };
  return messagesServer({
    ...openPeers(own),
    db,
    ledger,
    register,
    days,
    counts,
    metrics,
    now,
    leasing,
    leaseMs,
    renewals,
    ...times,
    tell,
    onChange,
    onEvents: publisher.poke,
    log,
  });
}

function retain({ config, now, log }: Process, db: Pool, nc: NatsConnection) {
  return startRetention({
    db,
    loadStream: () => loadStream(nc),
    now,
    contentDays: config.CONTENT_DAYS,
    messageDays: config.MESSAGE_DAYS,
    forgetEveryMs: config.FORGET_EVERY_MS,
    log,
  });
}

/** Those that Explain asks; nothing else here does. */
function openPeers({ config, opened, log, tls: { grpc: tls } }: Process) {
  return {
    templates: opened.use(createClient(TemplatesService, config.TEMPLATES_ADDRESS, { log, tls })),
    billing: opened.use(createClient(BillingService, config.BILLING_ADDRESS, { log, tls })),
    quality: opened.use(createClient(QualityService, config.QUALITY_ADDRESS, { log, tls })),
    ask: createAsk(log),
    tls,
  };
}

/**
 * Plans are made once and go by key, whatever the tables held at that time: partitions begin empty, where a plan by size would
 * scan them. Planning anew costs more than the query: with 95 partitions 36 ms a Claim, not 0.3.
 */
function withPlanner(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  const settings = [
    "plan_cache_mode=force_generic_plan",
    "enable_seqscan=off",
    "enable_hashjoin=off",
    "enable_mergejoin=off",
  ];
  const own = settings.map((setting) => `-c ${setting}`).join(" ");
  url.searchParams.set("options", `${url.searchParams.get("options") ?? ""} ${own}`.trim());
  return url.href;
}

/** Hints may be lost, so a NATS that is away is no fault. */
function hint(nc: NatsConnection, subject: string, log: Log): void {
  try {
    nc.publish(subject);
  } catch (error) {
    log.debug({ err: error, subject }, "hint was not told");
  }
}

function observe(metrics: Metrics, committed: Committed, timing: { items: number; durationMs: number }): void {
  const { decision, received, accountNews, unparsed } = committed;
  metrics.commitItems.observe(timing.items);
  metrics.commitSeconds.observe(timing.durationMs / 1_000);
  if (decision.inserted.length > 0) metrics.transitions.inc({ state: "accepted" }, decision.inserted.length);
  for (const { message } of decision.changed) metrics.transitions.inc({ state: message.state });
  const ingested = { inbound: received.length, passed: decision.passed.length, account: accountNews, unparsed };
  for (const [kind, count] of Object.entries(ingested)) if (count > 0) metrics.ingested.inc({ kind }, count);
}
