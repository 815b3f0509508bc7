// Everything around an operator: the API server with etcd, kwok's nodes, a scheduler that only counts, and for ours the services that
// it calls, each as a process.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createLog } from "#lib/log.ts";
import { findNatsServer, startNats } from "#local/nats.ts";
import { startPostgres } from "#local/postgres.ts";
import { findFreePort } from "#local/server-process.ts";
import { nodes as nodeResource, pods } from "#operator/kinds.ts";
import { hasStatus } from "#operator/runtime/api-error.ts";
import { pathOf } from "#operator/runtime/objects.ts";
import { clearRunFolder, clearStaleRuns, makeRunFolder, privateFolder, runFolder } from "#test/env/folder.ts";
import { type Kube, startKube } from "#test/env/kube.ts";
import { accessKube, installCrds, type KubeAccess, makeNamespace } from "#test/env/kube-objects.ts";
import { startKwok } from "#test/env/kwok.ts";
import { until } from "#test/until.ts";
import type { Process } from "../proc.ts";
import { type Declared, declareFleet } from "./declared.ts";
import { type Followed, followFleet, isReady, type SeenPod } from "./followed.ts";
import { type NodeProcess, startNode } from "./node-process.ts";
import { leaseTimes, type StandIns, startStandIns } from "./stand-ins.ts";

export type World = {
  kube: Kube;
  admin: KubeAccess;
  namespace: string;
  /** For logs and files of whatever runs here. */
  folder: string;
  declared: Declared;
  followed: Followed;
  /** All but the operator. */
  processes: readonly Process[];
  /** Addresses of the services, as the operator's environment has them; empty without services. */
  addresses: Readonly<Record<string, string>>;
  standIns: StandIns | undefined;
};

type WorldOptions = {
  stack: AsyncDisposableStack;
  say: (text: string) => void;
  size: number;
  perAccount: number;
  /** Without them pods are left to themselves. */
  withServices: boolean;
};

const host = "127.0.0.1";

/** Nodes, accounts and Secrets are there; numbers are not. All of it ends with the stack. */
export async function startWorld({ stack, say, size, perAccount, withServices }: WorldOptions): Promise<World> {
  await clearStaleRuns();
  const run = makeRunFolder();
  stack.defer(() => clearRunFolder(run));
  const kube = stack.use(await startKube());
  const admin = stack.use(accessKube(kube));
  await installCrds(admin);
  const namespace = await makeNamespace(admin);
  const folder = privateFolder("bench");
  const services = withServices ? await startServices(stack, folder) : undefined;
  const declared = declareFleet({ size, perAccount, namespace });
  const kwok = stack.use(await startKwok(kube, say));
  for (const node of declared.nodes) await admin.client.create(nodeResource, node);
  await until(() => areReady(admin, kwok.check), { timeoutMs: 60_000, message: "kwok does not make the nodes ready" });
  const standIns = services && stack.use(await startStandIns(services.addresses["MESSAGES_ADDRESS"] ?? ""));
  const bind = createScheduler(admin, namespace, declared);
  const onPod = (type: string, pod: SeenPod): void => {
    if (!pod.isBound && type === "added") bind(pod);
    if (pod.isDeleting || type === "deleted") standIns?.end(pod);
    else if (pod.isReady) standIns?.begin(pod);
  };
  const followed = stack.use(await followFleet({ admin, namespace, onPod: ({ type, object }) => onPod(type, object) }));
  const ofKube = ["etcd", "kube-apiserver"].map((name) => ({ name, pid: pidOf(name) }));
  const processes = [...ofKube, { name: "kwok", pid: kwok.pid }, ...(services?.processes ?? [])];
  return {
    kube,
    admin,
    namespace,
    folder,
    declared,
    followed,
    processes,
    standIns,
    addresses: services?.addresses ?? {},
  };
}

async function areReady({ client }: KubeAccess, check: () => void): Promise<boolean> {
  check();
  const { items } = await client.list(nodeResource, {});
  return items.every(({ status }) => isReady(status));
}

/** As the server's folder tells it; there is one in a run. */
function pidOf(server: string): number {
  const folder = readdirSync(runFolder()).find((name) => name.startsWith("kube-")) ?? "";
  return Number(readFileSync(join(runFolder(), folder, `${server}.pid`), "utf8"));
}

/** Binds pods to the nodes in turn, as soon as they are told. */
function createScheduler({ transport }: KubeAccess, namespace: string, { nodes }: Declared): (pod: SeenPod) => void {
  let turn = 0;
  return ({ metadata: { name } }) => {
    turn += 1;
    const node = nodes[turn % nodes.length]?.metadata.name ?? "";
    const target = { apiVersion: "v1", kind: "Node", name: node };
    const body = { apiVersion: "v1", kind: "Binding", metadata: { name, namespace }, target };
    const path = pathOf(pods, { namespace, name, subresource: "binding" });
    transport.send({ method: "POST", path, body, timeoutMs: 60_000 }).catch((error: unknown) => {
      // It is gone, or was bound by a request whose answer was lost.
      if (!hasStatus(error, 404, 409)) throw error;
    });
  };
}

type Services = { addresses: Record<string, string>; processes: Process[] };

/** Those that the operator asks about numbers and accounts; of templates and subscriptions there are none here. */
async function startServices(stack: AsyncDisposableStack, folder: string): Promise<Services> {
  const log = createLog({ service: "bench", level: "silent" });
  const dataDir = join(folder, "postgres", "data");
  const postgres = stack.use(await startPostgres({ dataDir, port: 0, host, log }));
  const binary = await findNatsServer({ progress: (line) => void process.stderr.write(`${line}\n`) });
  const nats = stack.use(await startNats({ binary, storeDir: join(folder, "nats"), port: 0, host, log }));
  const [messagesPort, qualityPort] = [await findFreePort(host), await findFreePort(host)];
  const nobody = `${host}:1`;
  const addresses = {
    MESSAGES_ADDRESS: `${host}:${messagesPort}`,
    QUALITY_ADDRESS: `${host}:${qualityPort}`,
    TEMPLATES_ADDRESS: nobody,
    BILLING_ADDRESS: nobody,
    WEBHOOKS_ADDRESS: nobody,
    NATS_URL: nats.url,
  };
  const { leaseMs, stopAfterMs, renewEveryMs } = leaseTimes;
  const times = { LEASE_MS: leaseMs, STOP_AFTER_MS: stopAfterMs, RENEW_EVERY_MS: renewEveryMs };
  const lease = Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, String(ms)]));
  const start = async (name: string, port: number, env: Record<string, string>): Promise<NodeProcess> =>
    stack.use(
      await startNode({
        name,
        entry: `services/${name}/main.ts`,
        env: { ...addresses, DATABASE_URL: postgres.url, GRPC_PORT: String(port), ...env },
        folder,
      }),
    );
  const messages = await start("messages", messagesPort, lease);
  const quality = await start("quality", qualityPort, {});
  const processes = [{ name: "postgres", pid: postgres.pid }, { name: "nats", pid: nats.pid }, messages, quality];
  return { addresses, processes: processes.map(({ name, pid }) => ({ name, pid })) };
}
