// Opens the parts of quality in order; disposing closes them in reverse.
import { createClient, startGrpc } from "#lib/grpc.ts";
import { createRegistry, startHttp } from "#lib/http.ts";
import { createLog } from "#lib/log.ts";
import { migrate } from "#lib/migrate.ts";
import { connectNats, consume } from "#lib/nats.ts";
import { createPool } from "#lib/postgres.ts";
import { startTelemetry } from "#lib/telemetry.ts";
import { openTls } from "#lib/tls.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { Config } from "./config.ts";
import { qualityConsumer } from "./consumer.ts";
import { createMetrics } from "./metrics.ts";
import { startRefresh } from "./refresh.ts";
import { startRetention } from "./retention.ts";
import { qualityServer } from "./server.ts";

type Options = {
  config: Config;
  now: () => Date;
};

export async function startQuality({ config, now }: Options) {
  await using opened = new AsyncDisposableStack();
  opened.use(await startTelemetry("quality", config));
  const log = createLog({ service: "quality", level: config.LOG_LEVEL });
  const registry = createRegistry("quality");
  const tls = opened.use(openTls(config, { log, registry }));
  const metrics = createMetrics(registry);
  const { DATABASE_URL: url, DATABASE_POOL_SIZE: size } = config;
  const db = opened.use(createPool({ url, size, log, applicationName: "quality", tls: tls.database }));
  await migrate({ pool: db, schema: "quality", directory: new URL("./migrations/", import.meta.url), log });
  const nats = opened.use(await connectNats({ url: config.NATS_URL, name: "quality", log, tls: tls.nats }));
  const messages = opened.use(createClient(MessagesService, config.MESSAGES_ADDRESS, { log, tls: tls.grpc }));
  const times = { everyMs: config.REFRESH_EVERY_MS, pollMs: config.REFRESH_POLL_MS };
  const refresh = opened.use(startRefresh({ db, messages, tls: tls.grpc, now, log, metrics, ...times }));
  opened.use(startRetention({ db, now, log }));
  opened.use(
    consume({
      nc: nats,
      stream: "WA",
      durable: "quality",
      log,
      registry,
      handle: qualityConsumer({ db, now, log, metrics, onDue: () => refresh.wake() }),
    }),
  );
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
      services: [qualityServer({ db, now, refresh, metrics })],
      log,
      registry,
      tls: tls.grpc,
    }),
  );
  log.info({ grpc: grpc.address, http: http.url }, "quality is up");
  const running = opened.move();
  return { address: grpc.address, http: http.url, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
