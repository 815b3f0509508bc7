// Opens billing's parts in order; disposing closes them in reverse.
import { startGrpc } from "#lib/grpc.ts";
import { createRegistry, startHttp } from "#lib/http.ts";
import { createLog } from "#lib/log.ts";
import { migrate } from "#lib/migrate.ts";
import { connectNats, consume } from "#lib/nats.ts";
import { createPool } from "#lib/postgres.ts";
import { startTelemetry } from "#lib/telemetry.ts";
import { openTls } from "#lib/tls.ts";
import type { Config } from "./config.ts";
import { billingConsumer } from "./consumer.ts";
import { createMetrics } from "./metrics.ts";
import { startRetention } from "./retention.ts";
import { billingServer } from "./server.ts";

type Options = {
  config: Config;
  now: () => Date;
};

export async function startBilling({ config, now }: Options) {
  await using opened = new AsyncDisposableStack();
  opened.use(await startTelemetry("billing", config));
  const log = createLog({ service: "billing", level: config.LOG_LEVEL });
  const registry = createRegistry("billing");
  const tls = opened.use(openTls(config, { log, registry }));
  const metrics = createMetrics(registry);
  const { DATABASE_URL: url, DATABASE_POOL_SIZE: size } = config;
  const db = opened.use(createPool({ url, size, log, applicationName: "billing", tls: tls.database }));
  await migrate({ pool: db, schema: "billing", directory: new URL("./migrations/", import.meta.url), log });
  const nats = opened.use(await connectNats({ url: config.NATS_URL, name: "billing", log, tls: tls.nats }));
  opened.use(startRetention({ db, now, log }));
  opened.use(
    consume({
      nc: nats,
      stream: "WA",
      durable: "billing",
      log,
      registry,
      handle: billingConsumer({ db, now, log, metrics }),
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
      services: [billingServer({ db, now })],
      log,
      registry,
      tls: tls.grpc,
    }),
  );
  log.info({ grpc: grpc.address, http: http.url }, "billing is up");
  const running = opened.move();
  return { address: grpc.address, http: http.url, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
