// Opens the parts of webhooks in order; disposing closes them in reverse: no more news, no more claims, what is under way ends,
// and what became of it is saved.
import { startGrpc } from "#lib/grpc.ts";
import { createRegistry, startHttp } from "#lib/http.ts";
import { createLog } from "#lib/log.ts";
import { migrate } from "#lib/migrate.ts";
import { connectNats, consume } from "#lib/nats.ts";
import { createPool } from "#lib/postgres.ts";
import { startTelemetry } from "#lib/telemetry.ts";
import { openTls } from "#lib/tls.ts";
import type { Config } from "./config.ts";
import { webhooksConsumer } from "./consumer.ts";
import { createDirectory } from "./directory.ts";
import { startDispatcher } from "./dispatcher.ts";
import { createMetrics, observeBacklog } from "./metrics.ts";
import { createOutcomes } from "./outcomes.ts";
import { createSender } from "./sender.ts";
import { webhooksServer } from "./server.ts";
import { createStatuses } from "./statuses.ts";
import { startSweep } from "./sweep.ts";

type Options = {
  config: Config;
  now: () => Date;
};

export async function startWebhooks({ config, now }: Options) {
  await using opened = new AsyncDisposableStack();
  opened.use(await startTelemetry("webhooks", config));
  const log = createLog({ service: "webhooks", level: config.LOG_LEVEL });
  const registry = createRegistry("webhooks");
  const tls = opened.use(openTls(config, { log, registry }));
  const metrics = createMetrics(registry);
  const { DATABASE_URL: url, DATABASE_POOL_SIZE: size } = config;
  const db = opened.use(createPool({ url, size, log, applicationName: "webhooks", tls: tls.database }));
  await migrate({ pool: db, schema: "webhooks", directory: new URL("./migrations/", import.meta.url), log });
  const nats = opened.use(await connectNats({ url: config.NATS_URL, name: "webhooks", log, tls: tls.nats }));
  const directory = createDirectory({ db });
  observeBacklog({ registry, db, directory, log });
  const sender = opened.use(createSender({ version: config.HELIOGRAPH_VERSION, now }));
  const outcomes = opened.use(createOutcomes({ db, log }));
  const statuses = opened.use(createStatuses({ db, log }));
  const dispatcher = opened.use(
    startDispatcher({
      db,
      directory,
      sender,
      outcomes,
      statuses,
      metrics,
      ...timesOf(config),
      now,
      log,
    }),
  );
  const retention = { deliveredHours: config.KEEP_DELIVERED_HOURS, deadHours: config.KEEP_DEAD_HOURS };
  opened.use(startSweep({ db, retention, metrics, now, log }));
  const handle = webhooksConsumer({ db, directory, dispatcher, now, log, metrics });
  opened.use(consume({ nc: nats, stream: "WA", durable: "webhooks", log, registry, handle }));
  const http = opened.use(
    await startHttp({
      host: config.LISTEN_HOST,
      port: config.HTTP_PORT,
      registry,
      checks: { database: () => db.query("select 1").then(() => true) },
      log,
    }),
  );
  const grpc = opened.use(
    await startGrpc({
      host: config.LISTEN_HOST,
      port: config.GRPC_PORT,
      services: [webhooksServer({ db, directory, dispatcher, now })],
      log,
      registry,
      tls: tls.grpc,
    }),
  );
  log.info({ grpc: grpc.address, http: http.url }, "webhooks is up");
  const running = opened.move();
  return { address: grpc.address, http: http.url, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

function timesOf(config: Config) {
  return {
    schedule: { baseMs: config.RETRY_BASE_MS, capMs: config.RETRY_CAP_MS },
    leaseSlackMs: config.LEASE_SLACK_MS,
    searchIntervalMs: config.SEARCH_INTERVAL_MS,
    drainMs: config.DRAIN_MS,
  };
}
