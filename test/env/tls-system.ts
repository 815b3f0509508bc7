// The whole system as real processes that speak TLS with certificates on both sides, to each other and to their stores. All of them
// have the same folder, as pods of one release have the same Secret.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addressesOf } from "#local/addresses.ts";
import { type Running, spawnChild } from "#local/child.ts";
import { dataFolderAt } from "#local/data-folder.ts";
import { type Manifests, readManifests } from "#local/manifests.ts";
import { planPorts } from "#local/ports.ts";
import { writeSecrets } from "#local/secrets.ts";
import {
  connectionsOf,
  metaWebhookPath,
  type NodeProcess,
  receiverOf,
  servicesOf,
  type Site,
} from "#local/services.ts";
import { worldFor } from "#local/world.ts";
import { createClient } from "#lib/grpc.ts";
import { openTls, type Tls } from "#lib/tls.ts";
import { applyAccount, applyNumber, applySubscription } from "#operator/registration.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { WebhooksService } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import { freePortBase, type RunFile } from "#test/system.ts";
import { until } from "#test/until.ts";
import { privateFolder } from "./folder.ts";
import { testLog } from "./log.ts";
import { startTlsNats, startTlsPostgres, type TlsNats, type TlsStore } from "./tls-stores.ts";

export type TlsSystem = AsyncDisposable & {
  run: RunFile;
  nats: TlsNats;
  postgres: TlsStore;
  processes: readonly NodeProcess[];
  /** Ends the process of this name and starts it again. */
  restart(name: string): Promise<void>;
};

const host = "127.0.0.1";
const samples = new URL("../../deploy/samples/", import.meta.url).pathname;
const patience = { timeoutMs: 60_000 };

/** `tlsFolder` holds ca.crt, tls.crt and tls.key, for every process and both stores. */
export async function startTlsSystem(tlsFolder: string): Promise<TlsSystem> {
  await using opened = new AsyncDisposableStack();
  const postgres = opened.use(await startTlsPostgres(tlsFolder));
  const nats = opened.use(await startTlsNats(tlsFolder));
  const manifests = readManifests(samples);
  const site = await makeSite(manifests, { databaseUrl: postgres.url, natsUrl: nats.url });
  const running = new Map<string, Running>();
  opened.defer(async () => void (await Promise.all(Array.from(running.values(), (one) => one.stop()))));
  const start = async (one: NodeProcess): Promise<void> => {
    const child = await spawnNode(site, one, tlsFolder);
    running.set(one.name, child);
    await untilReady(one, child);
  };
  const services = servicesOf(site);
  const first = [...Object.values(services), receiverOf(site, true)];
  await Promise.all(first.map(start));
  await using tls = openTls({ GRPC_TLS_DIR: tlsFolder }, { log: testLog });
  const { receiver } = addressesOf(host, site.ports);
  await register({
    tls,
    manifests,
    messages: services.messages.grpc,
    webhooks: services.webhooks.grpc,
    receiver,
  });
  const connections = connectionsOf(site, manifests);
  await Promise.all(connections.map(start));
  const processes = [...first, ...connections];
  const moved = opened.move();
  return {
    run: runOf(site, manifests),
    nats,
    postgres,
    processes,
    async restart(name) {
      const one = processes.find((process) => process.name === name);
      if (one === undefined) throw new Error(`there is no process ${name}`);
      await running.get(name)?.stop();
      await start(one);
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

async function makeSite(manifests: Manifests, stores: Pick<Site, "databaseUrl" | "natsUrl">): Promise<Site> {
  const folder = dataFolderAt(privateFolder("tls-system"));
  for (const path of [folder.logs, folder.secrets]) mkdirSync(path, { recursive: true });
  const ports = planPorts({ base: await freePortBase() }, manifests.numbers.length);
  const files = writeSecrets(folder.secrets, manifests);
  const worldFile = join(folder.secrets, "world.json");
  const { gateway } = addressesOf(host, ports);
  writeFileSync(worldFile, JSON.stringify(worldFor(manifests, files, `${gateway}${metaWebhookPath}`)));
  return { host, ports, folder, files, worldFile, ...stores };
}

function spawnNode({ folder }: Site, { name, entry, env }: NodeProcess, tlsFolder: string): Promise<Running> {
  const own = {
    GRPC_TLS_DIR: tlsFolder,
    NATS_TLS_DIR: tlsFolder,
    DATABASE_TLS_DIR: tlsFolder,
    NODE_COMPILE_CACHE: folder.cache,
  };
  return spawnChild({
    command: process.execPath,
    args: [entry],
    env: { ...process.env, ...env, ...own },
    logFile: join(folder.logs, `${name}.log`),
    onOutput: undefined,
  });
}

async function untilReady({ name, http }: NodeProcess, child: Running): Promise<void> {
  let isOver = false;
  void child.exited.then(() => (isOver = true));
  const ask = async (): Promise<boolean> => isOver || (await fetch(`${http}/readyz`)).ok;
  await until(ask, { ...patience, message: `${name} is not ready` });
  if (isOver) throw new Error(`${name} ended: ${child.lastWords?.() ?? "without a word"}`);
}

type Registration = { tls: Tls; manifests: Manifests; messages: string; webhooks: string; receiver: string };

async function register({ tls, manifests, messages, webhooks, receiver }: Registration): Promise<void> {
  const { accounts, numbers, subscriptions, secrets } = manifests;
  await using ledger = createClient(MessagesService, messages, { tls: tls.grpc, deadlineMs: 30_000 });
  for (const account of accounts) await ledger.applyAccount(applyAccount(account));
  for (const number of numbers) {
    const account = accounts.find(({ metadata }) => metadata.name === number.spec.accountRef.name);
    if (account !== undefined) await ledger.applyNumber(applyNumber(number, account));
  }
  await using deliveries = createClient(WebhooksService, webhooks, { tls: tls.grpc, deadlineMs: 30_000 });
  for (const declared of subscriptions) {
    const { name, key } = declared.spec.secretRef;
    const subscription = { ...declared, spec: { ...declared.spec, url: `${receiver}/webhook` } };
    const signing = (secrets.get(name)?.[key] ?? "").trim();
    await deliveries.applySubscription(applySubscription(subscription, { accounts, numbers }, [signing]));
  }
}

function runOf({ ports, files }: Site, { accounts, numbers }: Manifests): RunFile {
  const { gateway, simulator, receiver } = addressesOf(host, ports);
  return {
    gateway,
    simulator,
    receiver,
    token: files.apiToken,
    appSecret: files.appSecret,
    numbers: numbers.map(({ metadata, spec }) => ({
      name: metadata.name,
      phoneNumberId: spec.phoneNumberId,
      displayPhoneNumber: spec.phoneNumber.slice(1),
      wabaId: accounts.find((account) => account.metadata.name === spec.accountRef.name)?.spec.wabaId ?? "",
    })),
    processes: [],
  };
}
