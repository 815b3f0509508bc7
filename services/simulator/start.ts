// Puts the simulator together: the world, the scheduler, the callbacks, the API port and the operational port.
import { createRegistry, startHttp } from "#lib/http.ts";
import { readSecretFile } from "#lib/config.ts";
import { createLog } from "#lib/log.ts";
import { startTelemetry } from "#lib/telemetry.ts";
import { createCallbacks } from "./callbacks.ts";
import type { Config } from "./config.ts";
import { createChance } from "./domain/random.ts";
import { createFaults } from "./faults.ts";
import { createMetrics } from "./metrics.ts";
import { createScheduler } from "./scheduler.ts";
import { startApi } from "./server.ts";
import type { Settings } from "./settings.ts";
import type { Simulation } from "./simulation.ts";
import { createStore, nextSeq } from "./store.ts";
import { readWorld, type World } from "./world.ts";

export type Simulator = AsyncDisposable & {
  /** Of Graph and /admin. */
  apiUrl: string;
  /** Of /healthz, /readyz and /metrics. */
  httpUrl: string;
  /** Runs what is due now; for a clock that jumps. */
  runDue: () => void;
};

const service = "simulator";
const dayMs = 24 * 3_600_000;

type Options = {
  config: Config;
  /** The simulator's clock: the wall clock, or a test's own. */
  now: () => Date;
};

export async function startSimulator({ config, now }: Options): Promise<Simulator> {
  const world = readGivenWorld(config);
  const nowMs = (): number => now().getTime();
  const log = createLog({ service, level: config.LOG_LEVEL });
  await using stack = new AsyncDisposableStack();
  stack.use(await startTelemetry(service, config));
  const registry = createRegistry(service);
  const metrics = createMetrics(registry, {
    waitingNews: () => sim.callbacks.waiting(),
    messages: () => sim.store.messages.length,
  });
  const chance = createChance(config.SEED);
  const faults = createFaults(chance, (kind) => metrics.faults.inc({ kind }));
  const scheduler = stack.use(createScheduler(nowMs));
  const callbacks = stack.use(
    createCallbacks({
      settings: () => sim.settings.webhook,
      secret: () => sim.store.app.secret,
      faults,
      chance,
      now: nowMs,
      scheduler,
      metrics,
      log,
    }),
  );
  const sim: Simulation = {
    store: createStore(world, nowMs()),
    settings: toSettings(config, world),
    faults,
    callbacks,
    scheduler,
    chance,
    metrics,
    log,
    now: nowMs,
    reset() {
      scheduler.clear();
      callbacks.clear();
      chance.restart();
      faults.replace([]);
      sim.settings = toSettings(config, world);
      sim.store = createStore(world, sim.store.bootMs, nextSeq(sim.store));
      callbacks.retarget();
    },
  };
  const host = config.LISTEN_HOST;
  const api = stack.use(await startApi({ sim, host, port: config.API_PORT }));
  const http = stack.use(await startHttp({ host, port: config.HTTP_PORT, registry, checks: {}, log }));
  callbacks.retarget();
  log.info({ api: api.url, http: http.url, numbers: sim.store.numbers.size }, "simulator is up");
  const opened = stack.move();
  return {
    apiUrl: api.url,
    httpUrl: http.url,
    runDue: () => scheduler.runDue(),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function readGivenWorld(config: Config): World {
  const world = readWorld(config.SEED_FILE);
  const { ACCESS_TOKEN_FILE, APP_SECRET_FILE, VERIFY_TOKEN_FILE, WEBHOOK_URL } = config;
  return {
    ...world,
    app: {
      ...world.app,
      ...(ACCESS_TOKEN_FILE !== undefined && { accessTokens: [readSecretFile(ACCESS_TOKEN_FILE)] }),
      ...(APP_SECRET_FILE !== undefined && { secret: readSecretFile(APP_SECRET_FILE) }),
      ...(VERIFY_TOKEN_FILE !== undefined && { verifyToken: readSecretFile(VERIFY_TOKEN_FILE) }),
      ...(WEBHOOK_URL !== undefined && { webhookUrl: WEBHOOK_URL }),
    },
  };
}

function toSettings(config: Config, { app }: World): Settings {
  return {
    deliverAfterMs: config.DELIVER_AFTER_MS,
    readAfterMs: config.READ_AFTER_MS,
    reply: null,
    offline: false,
    notOnWhatsApp: false,
    latencyMs: config.LATENCY_MS,
    skipDelivered: 0,
    tokenRevoked: false,
    limits: { throughput: null, pair: true, httpStatus: 400 },
    webhook: {
      url: app.webhookUrl,
      verifyToken: app.verifyToken,
      retryBaseMs: config.WEBHOOK_RETRY_BASE_MS,
      retryMaxMs: config.WEBHOOK_RETRY_MAX_MS,
      giveUpAfterMs: 7 * dayMs,
      batch: 100,
      gatherMs: 5,
      timeoutMs: 10_000,
    },
  };
}
