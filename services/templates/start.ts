// Opens the parts of templates in order; disposing closes them in reverse.
import { createClient, startGrpc } from "#lib/grpc.ts";
import { createRegistry, startHttp } from "#lib/http.ts";
import { createLog } from "#lib/log.ts";
import { migrate } from "#lib/migrate.ts";
import { connectNats, consume } from "#lib/nats.ts";
import { createPool } from "#lib/postgres.ts";
import { startTelemetry } from "#lib/telemetry.ts";
import { openTls } from "#lib/tls.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { accountUpstream } from "./account-upstream.ts";
import type { Config } from "./config.ts";
import { templatesConsumer } from "./consumer.ts";
import { createMetrics } from "./metrics.ts";
import { templatesServer } from "./server.ts";
import { startSync } from "./sync.ts";

type Options = {
  config: Config;
  now: () => Date;
};

export async function startTemplates({ config, now }: Options) {
  await using opened = new AsyncDisposableStack();
  opened.use(await startTelemetry("templates", config));
  const log = createLog({ service: "templates", level: config.LOG_LEVEL });
  const registry = createRegistry("templates");
  const tls = opened.use(openTls(config, { log, registry }));
  const metrics = createMetrics(registry);
  const { DATABASE_URL: url, DATABASE_POOL_SIZE: size } = config;
  const db = opened.use(createPool({ url, size, log, applicationName: "templates", tls: tls.database }));
  await migrate({ pool: db, schema: "templates", directory: new URL("./migrations/", import.meta.url), log });
  const nats = opened.use(await connectNats({ url: config.NATS_URL, name: "templates", log, tls: tls.nats }));
  const messages = opened.use(createClient(MessagesService, config.MESSAGES_ADDRESS, { log, tls: tls.grpc }));
  const upstream = accountUpstream(messages, tls.grpc);
  const sync = opened.use(
    startSync({ db, upstream, now, log, metrics, everyMs: config.SYNC_EVERY_MS, pollMs: config.SYNC_POLL_MS }),
  );
  opened.use(
    consume({
      nc: nats,
      stream: "WA",
      durable: "templates",
      log,
      registry,
      handle: templatesConsumer({ db, now, log, metrics, onDue: () => sync.wake() }),
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
      services: [templatesServer({ db, sync, upstream, now })],
      log,
      registry,
      tls: tls.grpc,
    }),
  );
  log.info({ grpc: grpc.address, http: http.url }, "templates is up");
  const running = opened.move();
  return { address: grpc.address, http: http.url, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
