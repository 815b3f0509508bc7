// A real kube-apiserver on a real etcd, without nodes and controllers: objects are stored, validated and watched, and nothing else
// acts on them. Namespaces and owned objects are therefore never collected; each test works in a namespace of its own.
import { generateKeyPairSync } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { join } from "node:path";
import { sleep } from "#lib/lifecycle.ts";
import { findFreePort, removeFolder, type ServerProcess, spawnServer } from "#local/server-process.ts";
import { privateFolder, runFolder } from "./folder.ts";
import { findKubeBinaries } from "./kube-binaries.ts";
import { lockFile } from "./lock.ts";

/** How to reach an API server as its administrator (group system:masters). */
export type Kube = {
  url: string;
  /** The certificate to trust, PEM. */
  ca: string;
  token: string;
  /** The administrator's kubeconfig, as text. */
  kubeconfig: string;
};

type OwnKube = Kube &
  AsyncDisposable & {
    /** Ends the API server without warning; etcd lives on. */
    kill(): Promise<void>;
    /** Starts it again at the same address. */
    restart(): Promise<void>;
  };

const host = "127.0.0.1";
const adminToken = "test-admin";
const readyMs = 120_000;
const readyPollMs = 50;
const portAttempts = 3;

/** One for all tests of the run, started by the first that asks and ended with the run. Keep to a namespace of your own. */
export async function sharedKube(): Promise<Kube> {
  const folder = join(runFolder(), "kube");
  const file = join(folder, "kube.json");
  if (!existsSync(file)) {
    await using _lock = await lockFile(`${folder}.lock`);
    if (!existsSync(file)) {
      const { kube } = await launch(folder, []);
      await writeFile(`${file}.new`, JSON.stringify(kube));
      await rename(`${file}.new`, file);
    }
  }
  return JSON.parse(await readFile(file, "utf8")) as Kube;
}

/** One of your own, about 5 s; `flags` go to the API server. For tests that hurt it or need it empty. */
export async function startKube(flags: readonly string[] = []): Promise<OwnKube> {
  const folder = privateFolder("kube");
  const { kube, etcd, apiserver } = await launch(folder, flags);
  let running = apiserver;
  return {
    ...kube,
    kill: () => running.process.stop(["SIGKILL"]),
    async restart() {
      running = await running.again();
      await waitUntilReady(running.process, kube.url);
    },
    async [Symbol.asyncDispose]() {
      await running.process.stop(["SIGKILL"]);
      await etcd.stop(["SIGKILL"]);
      removeFolder(folder);
    },
  };
}

type Launched = { kube: Kube; etcd: ServerProcess; apiserver: Apiserver };
type Apiserver = { process: ServerProcess; again(): Promise<Apiserver> };

/** Ports are taken by others now and then between being found and being used. */
async function launch(folder: string, flags: readonly string[]): Promise<Launched> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await launchOnce(folder, flags);
    } catch (error) {
      removeFolder(folder);
      const isTaken = error instanceof Error && error.message.includes("address already in use");
      if (!isTaken || attempt === portAttempts) throw error;
    }
  }
}

async function launchOnce(folder: string, flags: readonly string[]): Promise<Launched> {
  const binaries = await findKubeBinaries((line) => process.stderr.write(`${line}\n`));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "tokens.csv"), `${adminToken},admin,admin,system:masters\n`);
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  await writeFile(join(folder, "sa.key"), privateKey.export({ type: "pkcs1", format: "pem" }), { mode: 0o600 });
  const etcdUrl = `http://${host}:${await findFreePort(host)}`;
  const port = await findFreePort(host);
  const url = `https://${host}:${port}`;
  const etcd = await start(binaries.etcd, etcdArguments(folder, etcdUrl), folder, "etcd");
  const startApiserver = async (): Promise<Apiserver> => ({
    process: await start(
      binaries["kube-apiserver"],
      apiserverArguments(folder, etcdUrl, port, flags),
      folder,
      "kube-apiserver",
    ),
    again: startApiserver,
  });
  const apiserver = await startApiserver();
  try {
    await waitUntilReady(apiserver.process, url);
  } catch (error) {
    await apiserver.process.stop(["SIGKILL"]);
    await etcd.stop(["SIGKILL"]);
    throw error;
  }
  const ca = await readFile(join(folder, "certificates", "apiserver.crt"), "utf8");
  return { kube: { url, ca, token: adminToken, kubeconfig: kubeconfigFor({ url, ca }, adminToken) }, etcd, apiserver };
}

function etcdArguments(folder: string, url: string): string[] {
  return toFlags({
    "data-dir": join(folder, "etcd"),
    "listen-client-urls": url,
    "advertise-client-urls": url,
    "listen-peer-urls": `http://${host}:0`,
    "log-level": "warn",
    "unsafe-no-fsync": "true",
  });
}

// ServiceAccount would refuse pods, since nobody makes the default account; the webhooks and the rest cost memory and are not used.
const unusedAdmission = `ServiceAccount,MutatingAdmissionWebhook,ValidatingAdmissionWebhook,ValidatingAdmissionPolicy,\
MutatingAdmissionPolicy,ResourceQuota,LimitRanger,DefaultStorageClass,StorageObjectInUseProtection,\
PersistentVolumeClaimResize,RuntimeClass,TaintNodesByCondition,DefaultIngressClass,CertificateApproval,\
CertificateSigning,CertificateSubjectRestriction`;

function apiserverArguments(folder: string, etcdUrl: string, port: number, flags: readonly string[]): string[] {
  const own = toFlags({
    "etcd-servers": etcdUrl,
    "bind-address": host,
    "secure-port": String(port),
    "cert-dir": join(folder, "certificates"),
    "token-auth-file": join(folder, "tokens.csv"),
    "authorization-mode": "RBAC",
    "service-cluster-ip-range": "10.96.0.0/24",
    "service-account-issuer": "https://kubernetes.default.svc",
    "service-account-key-file": join(folder, "sa.key"),
    "service-account-signing-key-file": join(folder, "sa.key"),
    "endpoint-reconciler-type": "none",
    "disable-admission-plugins": unusedAdmission,
    "allow-privileged": "true",
    profiling: "false",
  });
  return [...own, ...flags];
}

function toFlags(values: Record<string, string>): string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`);
}

async function start(command: string, args: string[], folder: string, name: string): Promise<ServerProcess> {
  const server = await spawnServer({ command, args, logFile: join(folder, `${name}.log`) });
  server.unref();
  await writeFile(join(folder, `${name}.pid`), String(server.pid));
  return server;
}

async function waitUntilReady(server: ServerProcess, url: string): Promise<void> {
  const giveUpAt = performance.now() + readyMs;
  while (!server.hasExited() && performance.now() < giveUpAt) {
    if (await isReady(url)) return;
    await sleep(readyPollMs);
  }
  const complaints = server.output().trim().split("\n").slice(-3);
  throw new Error(`kube-apiserver did not start: ${complaints.join(" | ")}`);
}

/** Trusts anybody: the certificate is made by the server that is waited for. */
function isReady(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${adminToken}` };
    const request = get(`${url}/readyz`, { rejectUnauthorized: false, headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("error", () => resolve(false));
  });
}

/** A kubeconfig for the bearer of `token`. */
export function kubeconfigFor({ url, ca }: Pick<Kube, "url" | "ca">, token: string): string {
  const cluster = { server: url, "certificate-authority-data": Buffer.from(ca).toString("base64") };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster }],
    users: [{ name: "test", user: { token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    "current-context": "test",
  });
}
