// Brings the whole system up, in the order in which its parts need each other.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { createLog } from "#lib/log.ts";
import { addressesOf, deliveryUrl, reachable } from "./addresses.ts";
import type { Options } from "./args.ts";
import { type Running, spawnChild } from "./child.ts";
import type { DataFolder } from "./data-folder.ts";
import { createFleet, type Fleet, type Stage } from "./fleet.ts";
import type { Manifests } from "./manifests.ts";
import { startNats } from "./nats.ts";
import { defaultPortBase, planPorts, type Ports } from "./ports.ts";
import { startPostgres } from "./postgres.ts";
import { untilReady } from "./readiness.ts";
import { readUpstream, registerNumbers, registerSubscriptions, submitTemplates } from "./register.ts";
import { type RunFile, writeRunFile } from "./run-file.ts";
import { type SecretFiles, writeSecrets } from "./secrets.ts";
import {
  connectionsOf,
  metaWebhookPath,
  type NodeProcess,
  receiverOf,
  type Services,
  servicesOf,
  type Site,
} from "./services.ts";
import { worldFor } from "./world.ts";

export type StackOptions = {
  options: Options;
  manifests: Manifests;
  folder: DataFolder;
  ports: Ports;
  natsBinary: string;
  /** What the children inherit. */
  env: NodeJS.ProcessEnv;
  /** Aborts the start; what runs already is ended by stop(). */
  signal: AbortSignal;
  /** Progress. */
  tell: (line: string) => void;
  /** Trouble. */
  warn: (line: string) => void;
  /** What the receiver prints. */
  print: (text: string) => void;
};

export type Stack = {
  /** Rejects with one line for the person who started it. */
  start(): Promise<void>;
  /** What run.json holds. */
  run(): RunFile;
  rows: Fleet["rows"];
  stop: Fleet["stop"];
  kill: Fleet["kill"];
};

const readyMs = 30_000;
// A young generation of 1 MiB, collected by several threads, took 12 % of messages at 50 msg/s; with 4 MiB and one thread the whole system
// needs 5 % less CPU, for at most 9 MiB more in each process.
const nodeFlags = ["--max-semi-space-size=4", "--no-parallel-scavenge", "--disable-warning=ExperimentalWarning"];

export function createStack(stack: StackOptions): Stack {
  const { options, manifests, folder, ports, signal, tell, warn } = stack;
  const files = writeSecrets(folder.secrets, manifests);
  const addresses = addressesOf(options.host, ports);
  const startedAt = new Date().toISOString();
  let state: RunFile["state"] = "starting";
  const run = (): RunFile => ({
    state,
    startedAt,
    ...addresses,
    receiver: options.webhookUrl === undefined ? addresses.receiver : null,
    token: files.apiToken,
    appSecret: files.appSecret,
    numbers: numbersOf(manifests),
    processes: fleet.processes(),
  });
  const fleet = createFleet({ onChange: () => writeRunFile(folder.runFile, run()), say: warn });

  async function start(): Promise<void> {
    mkdirSync(folder.logs, { recursive: true });
    const stores = await startStores(stack, fleet);
    const site: Site = { host: options.host, ports, folder, files, ...stores, worldFile: writeWorld(stack, files) };
    if (signal.aborted) return;
    const { simulator, gateway, ...services } = servicesOf(site);
    await Promise.all([
      addNode(stack, fleet, simulator, "outside"),
      addNode(stack, fleet, gateway, "gateway"),
      ...Object.values(services).map((service) => addNode(stack, fleet, service, "service")),
      options.webhookUrl === undefined && addNode(stack, fleet, receiverOf(site, options.isQuiet), "outside"),
    ]);
    if (signal.aborted) return;
    tell("services are up");
    await register(stack, services);
    const connections = connectionsOf(site, manifests);
    await Promise.all(connections.map((connection) => addNode(stack, fleet, connection, "connection")));
    if (signal.aborted) return;
    await settleUpstream(stack, services);
    state = "up";
    writeRunFile(folder.runFile, run());
  }

  return { start, run, rows: fleet.rows, stop: fleet.stop, kill: fleet.kill };
}

function numbersOf({ accounts, numbers }: Manifests): RunFile["numbers"] {
  return numbers.map(({ metadata, spec }) => ({
    name: metadata.name,
    phoneNumberId: spec.phoneNumberId,
    displayPhoneNumber: spec.phoneNumber.slice(1),
    wabaId: accounts.find((account) => account.metadata.name === spec.accountRef.name)?.spec.wabaId ?? "",
  }));
}

async function startStores(stack: StackOptions, fleet: Fleet): Promise<{ databaseUrl: string; natsUrl: string }> {
  const { options, folder, ports, natsBinary, tell } = stack;
  const { host } = options;
  const log = createLog({ service: "local", level: "silent" });
  if (!existsSync(folder.postgres)) tell("creating the database");
  let databaseUrl = "";
  let natsUrl = "";
  const storeRunning = (server: AsyncDisposable & Omit<Running, "stop">): Running => ({
    pid: server.pid,
    exited: server.exited,
    stop: async () => server[Symbol.asyncDispose](),
  });
  await Promise.all([
    fleet.add({
      name: "postgres",
      stage: "store",
      address: `${reachable(host)}:${ports.postgres}`,
      http: null,
      grpc: null,
      async launch(onSpawn) {
        const logFile = freshLog(folder, "postgres");
        const place = { dataDir: folder.postgres, port: ports.postgres, host };
        const server = await startPostgres({ ...place, log, logFile, onSpawn });
        databaseUrl = server.url;
        return storeRunning(server);
      },
    }),
    fleet.add({
      name: "nats",
      stage: "store",
      address: `${reachable(host)}:${ports.nats}`,
      http: null,
      grpc: null,
      async launch(onSpawn) {
        const logFile = freshLog(folder, "nats");
        const server = await startNats({
          binary: natsBinary,
          storeDir: folder.nats,
          port: ports.nats,
          host,
          log,
          logFile,
          onSpawn,
        });
        natsUrl = server.url;
        return storeRunning(server);
      },
    }),
  ]);
  return { databaseUrl, natsUrl };
}

function writeWorld({ manifests, options, ports, folder }: StackOptions, files: SecretFiles): string {
  const { gateway } = addressesOf(options.host, ports);
  const path = join(folder.secrets, "world.json");
  const world = worldFor(manifests, files, `${gateway}${metaWebhookPath}`);
  writeFileSync(path, `${JSON.stringify(world, null, 2)}\n`, { mode: 0o600 });
  return path;
}

async function register(
  { options, ports, manifests }: StackOptions,
  services: Omit<Services, "simulator" | "gateway">,
): Promise<void> {
  const receivers = {
    usual: addressesOf("127.0.0.1", planPorts({ base: defaultPortBase }, 0)).receiver,
    actual: addressesOf(options.host, ports).receiver,
    instead: options.webhookUrl,
  };
  await registerNumbers(services.messages.grpc, manifests);
  await registerSubscriptions(services.webhooks.grpc, manifests, (declared) => deliveryUrl(declared, receivers));
}

/** WhatsApp may be away: everything runs without it. */
async function settleUpstream(
  { manifests, tell, warn }: StackOptions,
  { templates, quality }: Pick<Services, "templates" | "quality">,
): Promise<void> {
  try {
    await readUpstream({ templates: templates.grpc, quality: quality.grpc }, manifests);
    for (const line of await submitTemplates(templates.grpc, manifests)) tell(line);
  } catch (error) {
    warn(`WhatsApp was not read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Resolves when the process is ready. */
async function addNode(
  { folder, env, signal, print }: StackOptions,
  fleet: Fleet,
  process: NodeProcess,
  stage: Stage,
): Promise<void> {
  const { name, entry, http, grpc, address } = process;
  const logFile = freshLog(folder, name);
  const supervised = await fleet.add({
    name,
    stage,
    address,
    http,
    grpc,
    launch: () =>
      spawnChild({
        command: globalThis.process.execPath,
        args: [...nodeFlags, entry],
        env: { ...env, ...process.env, ...ownEnv(folder, name), NODE_COMPILE_CACHE: folder.cache },
        logFile,
        onOutput: process.printsForPeople ? print : undefined,
      }),
  });
  await untilReady(process, supervised, { signal, timeoutMs: readyMs, logFile });
}

/** Read at each start, so that a restarted process may get another one. */
function ownEnv(folder: DataFolder, name: string): NodeJS.Dict<string> {
  const path = join(folder.env, `${name}.env`);
  return existsSync(path) ? parseEnv(readFileSync(path, "utf8")) : {};
}

/** The log of the run before is kept beside it. */
function freshLog({ logs }: DataFolder, name: string): string {
  const path = join(logs, `${name}.log`);
  if (existsSync(path)) renameSync(path, join(logs, `${name}.1.log`));
  return path;
}
