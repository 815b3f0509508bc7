// The cluster of the tests itself: it is Kubernetes as far as our product can see, and the machine does not notice it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect as connectNats } from "@nats-io/transport-node";
import pg from "pg";
import { nodes, pods } from "#operator/kinds.ts";
import { hasStatus } from "#operator/runtime/api-error.ts";
import { isRecord, type Resource, type Wish } from "#operator/runtime/objects.ts";
import { removeFolder } from "#local/server-process.ts";
import { accessKube, type KubeAccess } from "../env/kube-objects.ts";
import { until } from "../until.ts";
import { groupName, listProcesses, readHierarchies } from "./env/cgroups.ts";
import { type Cluster, startCluster } from "./env/cluster.ts";
import { findClusterBinaries } from "./env/binaries.ts";
import { readHostState } from "./env/host.ts";
import { drainNode, execIn, logsOf, makeClusterNamespace, setUnschedulable, waitForPod } from "./env/pods.ts";
import { writeNatsImage, writeNodeImage, writePostgresImage } from "./env/stand-ins.ts";
import { sweep } from "./env/sweep.ts";

const nodeImage = "docker.io/heliograph/node:test";
const postgresImage = "docker.io/library/postgres:18";
const natsImage = "docker.io/library/nats:2.14";
const namespace = "trial";
const endMs = 120_000;
const lossMs = 180_000;
const core = { group: "", version: "v1" };
const services: Resource = { ...core, kind: "Service", plural: "services", isNamespaced: true };
const claims: Resource = {
  ...core,
  kind: "PersistentVolumeClaim",
  plural: "persistentvolumeclaims",
  isNamespaced: true,
};
const policies: Resource = {
  group: "networking.k8s.io",
  version: "v1",
  kind: "NetworkPolicy",
  plural: "networkpolicies",
  isNamespaced: true,
};
const restricted = { "pod-security.kubernetes.io/enforce": "restricted" };
const echo = `require("http").createServer((_, answer) => answer.end(process.env.NODE_NAME)).listen(8080, () => console.log("listening"))`;

type PodOptions = {
  name: string;
  node?: string;
  script?: string;
  claim?: string;
  image?: string;
  env?: Record<string, string>;
  user?: number;
};

function podOf({ name, node, script = echo, claim, image = nodeImage, env = {}, user = 65532 }: PodOptions): Wish {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      ...(node !== undefined && { nodeSelector: { "kubernetes.io/hostname": node } }),
      terminationGracePeriodSeconds: 0,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: user,
        fsGroup: user,
        seccompProfile: { type: "RuntimeDefault" },
      },
      containers: [
        {
          name: "main",
          image,
          ...(image === nodeImage && { args: ["-e", script] }),
          env: [
            ...Object.entries(env).map(([key, value]) => ({ name: key, value })),
            { name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
          ],
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
          volumeMounts: [
            { name: "tmp", mountPath: "/tmp" },
            { name: "run", mountPath: "/var/run/postgresql" },
            ...(claim === undefined ? [] : [{ name: "data", mountPath: "/var/lib/postgresql" }]),
          ],
        },
      ],
      volumes: [
        { name: "tmp", emptyDir: {} },
        { name: "run", emptyDir: {} },
        ...(claim === undefined ? [] : [{ name: "data", persistentVolumeClaim: { claimName: claim } }]),
      ],
    },
  };
}

function serviceOf(name: string, port: number): Wish {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { selector: { app: name }, ports: [{ port, targetPort: port }] },
  };
}

const hostName = (service: string): string => `${service}.${namespace}.svc.cluster.local`;
const fetchScript = (url: string): string[] => [
  "node",
  "-e",
  `fetch("${url}").then((a) => a.text()).then(console.log)`,
];

suite("a cluster of two nodes", () => {
  let cluster: Cluster;
  let admin: KubeAccess;
  let folder: string;
  let hostBefore: Awaited<ReturnType<typeof readHostState>>;

  before(async () => {
    hostBefore = await readHostState();
    folder = mkdtempSync(join(tmpdir(), "heliograph-images-"));
    cluster = await startCluster({ nodeGraceSeconds: 20 });
    admin = accessKube(cluster);
    const archives = ["node", "postgres", "nats"].map((name) => join(folder, `${name}.tar`));
    const [node = "", postgres = "", nats = ""] = archives;
    await writeNodeImage({ reference: nodeImage, archive: node });
    await writePostgresImage({ reference: postgresImage, archive: postgres });
    const binaries = await findClusterBinaries(() => undefined);
    await writeNatsImage({ reference: natsImage, archive: nats }, binaries["nats-server"]);
    for (const archive of archives) await cluster.loadImage(archive);
    await makeClusterNamespace(admin, namespace, restricted);
  });

  after(async () => {
    await admin?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    removeFolder(folder);
    assert.deepEqual(await readHostState(), hostBefore);
  });

  const run = async (options: PodOptions): ReturnType<typeof waitForPod> => {
    await admin.client.create(pods, podOf(options));
    return waitForPod(admin, `${namespace}/${options.name}`);
  };

  test("a pod runs on each node, and its logs and its programs are reached", async () => {
    const [first, second] = await Promise.all([
      run({ name: "one", node: "node1" }),
      run({ name: "two", node: "node2" }),
    ]);
    assert.deepEqual([first.node, second.node], ["node1", "node2"]);
    for (const { name } of [first, second]) {
      await until(async () => (await logsOf(admin, `${namespace}/${name}`)) === "listening\n", {
        message: `${name} has said that it listens`,
      });
    }
    const { stdout } = await execIn(cluster, `${namespace}/one`, ["node", "-p", "process.getuid()"]);
    assert.equal(stdout, "65532\n");
    await assert.rejects(execIn(cluster, `${namespace}/one`, ["node", "-e", "process.exit(3)"]), /exit code 3/);
  });

  test("a Service is reached by its name from the other node, from its own and from the test", async () => {
    await admin.client.create(services, serviceOf("two", 8080));
    const url = `http://two.${namespace}:8080/`;
    for (const pod of ["one", "two"]) {
      await until(async () => (await execIn(cluster, `${namespace}/${pod}`, fetchScript(url))).stdout === "node2\n", {
        timeoutMs: 60_000,
        message: `${pod} reaches the Service`,
      });
    }
    await using way = await cluster.forward(`${hostName("two")}:8080`);
    await until(async () => (await (await fetch(`http://127.0.0.1:${way.port}/`)).text()) === "node2", {
      timeoutMs: 60_000,
      message: "the test reaches the Service",
    });
  });

  test("a name outside of the cluster does not exist", async () => {
    const script = `require("dns").lookup("graph.facebook.com", (error) => console.log(error.code))`;
    assert.equal((await execIn(cluster, `${namespace}/one`, ["node", "-e", script])).stdout, "ENOTFOUND\n");
  });

  test("a pod that asks for more than the restricted standard allows is refused", async () => {
    const pod = podOf({ name: "greedy" });
    const spec = isRecord(pod["spec"]) ? pod["spec"] : {};
    await assert.rejects(admin.client.create(pods, { ...pod, spec: { ...spec, hostNetwork: true } }), (error) =>
      hasStatus(error, 403),
    );
  });

  test("network policies are stored", async () => {
    const spec = { podSelector: {}, policyTypes: ["Ingress"], ingress: [] };
    const metadata = { name: "closed", namespace };
    await admin.client.create(policies, { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata, spec });
  });

  test("a disk follows its pod to the other node", async () => {
    const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
    const metadata = { name: "disk", namespace };
    await admin.client.create(claims, { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata, spec });
    const file = "/var/lib/postgresql/word";
    await run({ name: "writer", node: "node1", claim: "disk" });
    const write = `require("fs").writeFileSync("${file}", "kept")`;
    await execIn(cluster, `${namespace}/writer`, ["node", "-e", write]);
    await admin.client.delete(pods, `${namespace}/writer`, { gracePeriodSeconds: 0 });
    await run({ name: "reader", node: "node2", claim: "disk" });
    const read = ["node", "-p", `require("fs").readFileSync("${file}", "utf8")`];
    assert.equal((await execIn(cluster, `${namespace}/reader`, read)).stdout, "kept\n");
  });

  test("the stand-in for Postgres makes its database once and keeps it", async () => {
    const metadata = { name: "base", namespace };
    const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
    await admin.client.create(claims, { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata, spec });
    await admin.client.create(services, serviceOf("postgres", 5432));
    const env = { POSTGRES_USER: "ada", POSTGRES_PASSWORD: "secret", POSTGRES_DB: "ledger" };
    const options = { name: "postgres", image: postgresImage, claim: "base", user: 999, env };
    await using way = await cluster.forward(`${hostName("postgres")}:5432`);
    const ask = async (text: string, password = "secret"): Promise<unknown> => {
      const connection = `postgres://ada:${password}@127.0.0.1:${way.port}/ledger`;
      const client = new pg.Client({ connectionString: connection, connectionTimeoutMillis: 5_000 });
      client.on("error", () => undefined);
      try {
        await client.connect();
        return (await client.query(text)).rows;
      } finally {
        await client.end();
      }
    };
    await run({ ...options, node: "node1" });
    await until(() => ask("create table words (word text)"), { timeoutMs: 120_000, message: "Postgres answers" });
    await assert.rejects(ask("select 1", "wrong"), /password authentication failed/);
    await ask("insert into words values ('kept')");
    await admin.client.delete(pods, `${namespace}/postgres`);
    await until(async () => (await admin.client.get(pods, `${namespace}/postgres`)) === undefined, {
      timeoutMs: 60_000,
      message: "Postgres is gone",
    });
    await run({ ...options, node: "node2" });
    const rows = await until(() => ask("select word from words"), { timeoutMs: 60_000, message: "Postgres is back" });
    assert.deepEqual(rows, [{ word: "kept" }]);
  });

  test("the stand-in for NATS answers", async () => {
    await admin.client.create(services, serviceOf("nats", 4222));
    await run({ name: "nats", image: natsImage });
    await using way = await cluster.forward(`${hostName("nats")}:4222`);
    const servers = `nats://127.0.0.1:${way.port}`;
    const connection = await until(() => connectNats({ servers, reconnect: false, timeout: 5_000 }), {
      timeoutMs: 60_000,
      message: "NATS answers",
    });
    assert.ok((await connection.rtt()) >= 0);
    await connection.close();
  });

  test("a killed container is started again", async () => {
    const { node, containerId } = await waitForPod(admin, `${namespace}/one`);
    await cluster.signalContainer(node, containerId, "SIGKILL");
    await until(async () => (await waitForPod(admin, `${namespace}/one`)).restarts === 1, {
      timeoutMs: 60_000,
      message: "the pod runs again",
    });
  });

  test("a drained node has no pods, and takes pods again afterwards", async () => {
    await drainNode(admin, "node1");
    assert.deepEqual((await admin.client.list(pods, { fieldSelector: "spec.nodeName=node1" })).items, []);
    await setUnschedulable(admin, "node1", false);
    assert.equal((await run({ name: "again", node: "node1" })).node, "node1");
  });

  const isLost = async (node: string): Promise<boolean> => {
    const object = await admin.client.get(nodes, node);
    return JSON.stringify(object?.["spec"]).includes("node.kubernetes.io/unreachable");
  };

  test("a node without network counts as lost until it is back, and so does one without its kubelet", async () => {
    await cluster.cutNetwork("node2");
    await cluster.signal("node1-kubelet", "SIGSTOP");
    for (const node of cluster.nodes) {
      await until(() => isLost(node), { timeoutMs: lossMs, message: `${node} counts as lost` });
    }
    await cluster.mendNetwork("node2");
    await cluster.signal("node1-kubelet", "SIGCONT");
    for (const node of cluster.nodes) {
      await until(async () => !(await isLost(node)), { timeoutMs: lossMs, message: `${node} is back` });
    }
  });
});

const main = fileURLToPath(new URL("env/main.ts", import.meta.url));

for (const [sentence, keeperDies] of [
  ["the machine is as before after kill -9 of the process that wanted the cluster", false],
  ["the machine is as before at the next start after kill -9 of the cluster's keeper, too", true],
] as const) {
  test(sentence, async () => {
    const hostBefore = await readHostState();
    const owner = spawn(process.execPath, [main], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(owner.stdout, "data")) as [Buffer];
    const keeperPid = Number(/cluster\/(\d+)\//.exec(line.toString())?.[1]);
    const processes = [keeperPid, ...listProcesses(groupName(keeperPid), readHierarchies())];
    assert.ok(processes.length > 10, `the cluster has ${processes.length} processes`);
    const exited = once(owner, "exit");
    if (keeperDies) process.kill(keeperPid, "SIGKILL");
    owner.kill("SIGKILL");
    await exited;
    if (keeperDies) await sweep();
    await until(() => processes.every(isGone), { timeoutMs: endMs, message: "the cluster's processes are gone" });
    await until(async () => assert.deepEqual(await readHostState(), hostBefore) === undefined, {
      timeoutMs: endMs,
      message: "the machine is as before",
    });
  });
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
