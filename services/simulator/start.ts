// Puts the simulator together: the world, the simulation, the API port and the operational port.
import { createRegistry, startHttp } from "#lib/http.ts";
import { readSecretFile } from "#lib/config.ts";
import { createLog } from "#lib/log.ts";
import { startTelemetry } from "#lib/telemetry.ts";
import type { Config } from "./config.ts";
import { startApi } from "./server.ts";
import { createSimulation } from "./simulation.ts";
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

type Options = {
  config: Config;
  /** The simulator's clock: the wall clock, or a test's own. */
  now: () => Date;
};

export async function startSimulator({ config, now }: Options): Promise<Simulator> {
  const world = readGivenWorld(config);
  const log = createLog({ service, level: config.LOG_LEVEL });
  await using stack = new AsyncDisposableStack();
  stack.use(await startTelemetry(service, config));
  const registry = createRegistry(service);
  const sim = stack.use(createSimulation({ config, world, now: () => now().getTime(), registry, log }));
  const host = config.LISTEN_HOST;
  const api = stack.use(await startApi({ sim, host, port: config.API_PORT }));
  const http = stack.use(await startHttp({ host, port: config.HTTP_PORT, registry, checks: {}, log }));
  sim.callbacks.retarget();
  log.info({ api: api.url, http: http.url, numbers: sim.store.numbers.size }, "simulator is up");
  const opened = stack.move();
  return {
    apiUrl: api.url,
    httpUrl: http.url,
    runDue: () => sim.scheduler.runDue(),
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
