// Opens the gateway's parts in order; disposing closes them in reverse, clients' connections first.
import { readSecretFile } from "#lib/config.ts";
import { createClient } from "#lib/grpc.ts";
import { createRegistry, startHttp } from "#lib/http.ts";
import { createLog } from "#lib/log.ts";
import { migrate } from "#lib/migrate.ts";
import { createPool } from "#lib/postgres.ts";
import { startTelemetry } from "#lib/telemetry.ts";
import { openTls } from "#lib/tls.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import { closeApp, createApp } from "./app.ts";
import type { Config } from "./config.ts";
import { createMessageIds } from "./message-ids.ts";
import { createMetrics } from "./metrics.ts";
import { followNumbers } from "./numbers.ts";
import { addExplainRoute } from "./routes/explain.ts";
import { addHeliographRoutes } from "./routes/heliograph.ts";
import { addMessagesRoute } from "./routes/messages.ts";
import { addMetaWebhookRoutes } from "./routes/meta-webhook.ts";
import { addTemplateRoutes } from "./routes/templates.ts";
import { openAppSecrets } from "./secrets.ts";
import { createTokens, followTokenFile } from "./tokens.ts";
import { createUpstreams } from "./upstreams.ts";

type Options = {
  config: Config;
  now: () => Date;
};

export async function startGateway({ config, now }: Options) {
  await using opened = new AsyncDisposableStack();
  opened.use(await startTelemetry("gateway", config));
  const log = createLog({ service: "gateway", level: config.LOG_LEVEL });
  const registry = createRegistry("gateway");
  const tls = opened.use(openTls(config, { log, registry }));
  readSecretFile(config.META_VERIFY_TOKEN_FILE);
  const appSecrets = openAppSecrets(config.META_APP_SECRETS_DIR, log);
  const { DATABASE_URL: url, DATABASE_POOL_SIZE: size } = config;
  const db = opened.use(createPool({ url, size, log, applicationName: "gateway", tls: tls.database }));
  await migrate({ pool: db, schema: "gateway", directory: new URL("./migrations/", import.meta.url), log });
  opened.use(await followTokenFile({ db, now, log, path: config.API_TOKEN_FILE }));
  const messages = opened.use(createClient(MessagesService, config.MESSAGES_ADDRESS, { log, tls: tls.grpc }));
  const templates = opened.use(createClient(TemplatesService, config.TEMPLATES_ADDRESS, { log, tls: tls.grpc }));
  const upstreams = opened.use(createUpstreams(tls.grpc));
  const numbers = opened.use(followNumbers({ messages, log }));
  const metrics = createMetrics(registry);
  const tokens = createTokens({ db, now });
  const app = createApp({
    log,
    metrics,
    bodyLimitBytes: config.API_BODY_LIMIT_KIB * 1_024,
    limit: { requests: config.IN_FLIGHT_REQUESTS, bytes: config.IN_FLIGHT_MIB * 1_024 * 1_024 },
  });
  opened.defer(() => closeApp(app));
  addMessagesRoute(app, { messages, templates, numbers, upstreams, tokens, now, drawMessageId: createMessageIds() });
  addMetaWebhookRoutes(app, {
    messages,
    appSecrets,
    verifyTokenFile: config.META_VERIFY_TOKEN_FILE,
    bodyLimitBytes: config.WEBHOOK_BODY_LIMIT_KIB * 1_024,
    metrics,
    now,
    log,
  });
  addExplainRoute(app, { messages, numbers, tokens, now, drawMessageId: createMessageIds() });
  addHeliographRoutes(app, { messages, tokens });
  addTemplateRoutes(app, { templates, tokens });
  const api = await app.listen({ host: config.LISTEN_HOST, port: config.API_PORT });
  const http = opened.use(
    await startHttp({
      host: config.LISTEN_HOST,
      port: config.HTTP_PORT,
      registry,
      checks: { database: () => db.query("select 1").then(() => true), numbers: numbers.isFollowing },
      log,
    }),
  );
  log.info({ api, http: http.url }, "gateway is up");
  const running = opened.move();
  return { api, http: http.url, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
