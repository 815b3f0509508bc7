// Runs inside the namespaces of a cluster: brings it up, says so with one line on its output, and stays as long as the cluster does.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { nodes } from "#operator/kinds.ts";
import { isRecord, type KubeObject } from "#operator/runtime/objects.ts";
import { accessKube, type KubeAccess } from "../../env/kube-objects.ts";
import { kubeconfigFor } from "../../env/kube.ts";
import { until } from "../../until.ts";
import { makeDisks, startDns } from "./addons.ts";
import type { ClusterBinaries } from "./binaries.ts";
import { readHierarchies } from "./cgroups.ts";
import { run } from "./command.ts";
import { startApiserver, startControllers, startEtcd } from "./control-plane.ts";
import { isolateFiles } from "./mounts.ts";
import { dnsServiceAddress, makeNetwork, placeOf } from "./network.ts";
import { type NodeOptions, socketOf, startContainerd, startKubelet, startProxy } from "./node.ts";
import { adminToken, makePki } from "./pki.ts";
import { listenForRelays } from "./relay.ts";
import { createServers, type Servers } from "./servers.ts";

export type StageSettings = {
  binaries: ClusterBinaries;
  nodeCount: number;
  /** How long a node may be silent before it counts as lost. */
  nodeGraceSeconds: number;
  pauseArchive: string;
};

const readyMs = 400_000;

async function bringUp(folder: string, settings: StageSettings): Promise<void> {
  const { binaries, nodeCount, nodeGraceSeconds, pauseArchive } = settings;
  const hierarchies = readHierarchies();
  const places = Array.from({ length: nodeCount }, (_, index) => placeOf(index + 1));
  const servers = createServers(folder);
  await isolateFiles({ folder, hierarchies, nameserver: dnsServiceAddress });
  process.env["TMPDIR"] = "/run/tmp";
  mkdirSync("/run/tmp");
  await makeNetwork(places);
  const pki = await makePki(folder, places);
  const shared = { folder, binaries, hierarchies, pki, servers };
  await startEtcd(shared);
  await startApiserver(shared);
  const members: NodeOptions[] = places.map((place) => ({ ...shared, place }));
  await Promise.all(members.map((member) => startRuntime(member, pauseArchive)));
  const url = "https://127.0.0.1:6443";
  const kubeconfig = kubeconfigFor({ url, ca: pki.ca }, adminToken);
  await using access = accessKube({ url, ca: pki.ca, token: adminToken, kubeconfig });
  await waitFor(() => isReady(access), "the API server is ready", servers);
  await startControllers(shared, nodeGraceSeconds);
  for (const member of members) await startKubelet(member);
  await startProxy({ ...shared, name: "outer" });
  await startDns(shared, access);
  await makeDisks(folder, places, access);
  await listenForRelays(join(folder, "relay.sock"));
  await waitFor(() => areNodesReady(access, nodeCount), "all nodes are ready", servers);
}

async function startRuntime(member: NodeOptions, pauseArchive: string): Promise<void> {
  await startContainerd(member);
  const socket = socketOf(member.folder, member.place.name);
  await run("ctr", "--address", socket, "--namespace", "k8s.io", "images", "import", pauseArchive);
}

async function isReady({ transport }: KubeAccess): Promise<boolean> {
  for await (const _ of await transport.open({ method: "GET", path: "/readyz" }));
  return true;
}

async function areNodesReady({ client }: KubeAccess, count: number): Promise<boolean> {
  const { items } = await client.list(nodes, {});
  return items.filter(isNodeReady).length === count;
}

function isNodeReady({ status }: KubeObject): boolean {
  const conditions =
    isRecord(status) && Array.isArray(status["conditions"]) ? status["conditions"].filter(isRecord) : [];
  return conditions.some(({ type, status: state }) => type === "Ready" && state === "True");
}

/** Gives up at once when one of the programs has ended. */
async function waitFor(condition: () => Promise<boolean>, message: string, servers: Servers): Promise<void> {
  let complaint: string | undefined;
  await until(
    async () => {
      complaint = servers.complaints().at(0);
      return complaint !== undefined || (await condition());
    },
    { timeoutMs: readyMs, message },
  );
  if (complaint !== undefined) throw new Error(complaint);
}

const [folder = "", settings = ""] = process.argv.slice(2);
try {
  await bringUp(folder, JSON.parse(settings) as StageSettings);
  process.stdout.write("ready\n");
} catch (error) {
  process.stderr.write(`${error instanceof Error ? [error.message, error.cause].join(": ") : String(error)}\n`);
  process.exit(1);
}
