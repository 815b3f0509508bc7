// What `npm start` promises, of the real program: one system is started, hurt, stopped and started again.
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { userWrites } from "#test/client.ts";
import { webhooks } from "#test/judge.ts";
import { freePortBase, startSystem, type System } from "#test/system.ts";
import { until } from "#test/until.ts";
import { findTakenPorts, listPorts, planPorts } from "./ports.ts";
import { isAlive } from "./process-identity.ts";
import { readRunFile } from "./run-file.ts";
import { processesOf, spawnRunner, temporaryFolder } from "./test-runner.ts";

const upMs = 60_000;
const stopMs = 10_000;
const user = "12025550123";

const samples = new URL("../samples/", import.meta.url).pathname;
const portBase = await freePortBase();
const work = temporaryFolder({ after: (end) => after(end) });
const dataDir = join(work, "data");
const numbersDir = join(work, "numbers");
const runFile = join(dataDir, "run.json");
const here = ["--data", dataDir, "--port-base", String(portBase)];

// A customer's endpoint that can be told to hang.
const held: ServerResponse[] = [];
let hangs = false;
const received: string[] = [];
const endpoint = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => (body += chunk.toString("utf8")));
  request.on("end", () => {
    received.push(`${String(request.headers["heliograph-attempt"])} ${body}`);
    if (hangs) held.push(response);
    else response.end();
  });
});
await new Promise<void>((resolve) => endpoint.listen(0, "127.0.0.1", resolve));
after(() => {
  endpoint.closeAllConnections();
  endpoint.close();
});
const address = endpoint.address();
assert.ok(typeof address === "object" && address !== null);
cpSync(samples, numbersDir, { recursive: true });
writeFileSync(
  join(numbersDir, "endpoint.yaml"),
  `apiVersion: heliograph.dev/v1alpha1
kind: WebhookSubscription
metadata:
  name: endpoint
spec:
  url: http://127.0.0.1:${address.port}/
  dialect: Cloud
  secretRef: {name: fjord-coffee, key: appSecret}
`,
);

let running: System | undefined;
after(() => running?.[Symbol.asyncDispose]());

function system(): System {
  assert.ok(running !== undefined, "the system is not up");
  return running;
}

function processNamed(name: string) {
  return readRunFile(runFile)?.processes.find((process) => process.name === name);
}

/** Nothing that it started runs, and its ports are free. */
async function assertNothingLeft(folder = dataDir): Promise<void> {
  await until(() => processesOf(folder).length === 0, { timeoutMs: 1_000 }).catch(() => undefined);
  assert.deepEqual(processesOf(folder), []);
  assert.deepEqual(await findTakenPorts("127.0.0.1", listPorts(planPorts({ base: portBase }, 2), true)), []);
}

describe("refused in one line", { concurrency: true }, () => {
  const broken = join(work, "broken");
  mkdirSync(broken);
  writeFileSync(join(broken, "one.yaml"), readFileSync(join(samples, "numbers.yaml"), "utf8").replace("+1555", "1555"));
  const cases: [sentence: string, args: string[], code: number, line: RegExp][] = [
    ["an option that is not known", ["--prot-base", "1"], 2, /^unknown option '--prot-base' /],
    ["no folder of manifests", ["--numbers", join(work, "none")], 1, /\/none: there is no such folder; --numbers/],
    ["a folder of somebody else's", ["--data", samples], 1, /holds files that are not Heliograph's: choose an empty/],
    ["the same with --fresh", ["--data", samples, "--fresh"], 1, /holds files that are not Heliograph's: choose/],
    ["a data folder that is a file", ["--data", join(samples, "numbers.yaml")], 1, /: it is not a folder; choose/],
    ["a port that is taken", ["--gateway-port", String(address.port)], 1, /^port \d+ \(gateway\) is taken: choose/],
  ];
  for (const [sentence, args, code, line] of cases) {
    test(sentence, async (t) => {
      const runner = spawnRunner(t, ["--data", temporaryFolder(t), "--port-base", String(portBase), ...args]);
      assert.equal(await runner.ended, code);
      assert.match(runner.errors(), line);
      assert.equal(runner.errors().trimEnd().split("\n").length, 1);
    });
  }

  test("a broken manifest, in a line for each fault", async (t) => {
    const runner = spawnRunner(t, ["--data", temporaryFolder(t), "--numbers", broken]);
    assert.equal(await runner.ended, 1);
    assert.match(runner.errors(), /one\.yaml: WhatsAppNumber\/orders: spec\.phoneNumber: must be a phone number /);
    assert.ok(
      runner
        .errors()
        .trimEnd()
        .split("\n")
        .every((line) => line.includes("one.yaml: WhatsAppNumber/")),
    );
  });

  test("a nats-server that is too old, and no way to get one: five lines name what was found and the ways out", async (t) => {
    const nowhere = "http://127.0.0.1:9";
    const bin = temporaryFolder(t);
    writeFileSync(join(bin, "nats-server"), "#!/bin/sh\necho nats-server: v2.10.22\n", { mode: 0o755 });
    const env = { HOME: temporaryFolder(t), PATH: bin, GOPROXY: "off", GOFLAGS: "", NODE_USE_ENV_PROXY: "1" };
    const runner = spawnRunner(t, ["--data", temporaryFolder(t)], {
      ...env,
      HTTPS_PROXY: nowhere,
      HTTP_PROXY: nowhere,
    });
    assert.equal(await runner.ended, 1);
    assert.match(
      runner.errors(),
      /^nats-server 2\.11 or newer is needed, \S+\/nats-server is 2\.10\.22\. Put one on PATH /,
    );
    for (const way of ["install Go", "Python 3 with pip"]) assert.ok(runner.errors().includes(way), runner.errors());
    assert.ok(runner.errors().trimEnd().split("\n").length <= 5, runner.errors());
  });
});

test("Ctrl-C while the database is made ends that too", async (t) => {
  const folder = temporaryFolder(t);
  const runner = spawnRunner(t, ["--data", folder, "--port-base", String(portBase)]);
  await until(() => readRunFile(join(folder, "run.json"))?.processes.some(({ name }) => name === "postgres"));
  const askedAt = performance.now();
  runner.kill("SIGINT");
  assert.equal(await runner.ended, 0);
  assert.ok(performance.now() - askedAt < stopMs);
  assert.equal(runner.errors(), "stopping; Ctrl-C again kills\n");
  await assertNothingLeft(folder);
});

test("kill -9 of the runner while the database is made: the next start ends what it left, and is up in time", async (t) => {
  const runner = spawnRunner(t, here);
  const maker = await until(() => processNamed("postgres"));
  runner.kill("SIGKILL");
  await runner.ended;
  assert.ok(isAlive(maker));
  running = await startSystem({ dataDir, numbersDir, portBase });
  assert.equal(isAlive(maker), false);
  t.diagnostic(`up in ${(running.startedInMs / 1_000).toFixed(1)} s on a fresh folder`);
  assert.ok(running.startedInMs < upMs);
});

test("run.json has the promised fields, its owner alone can read it, and every address in it answers", async () => {
  const run = readRunFile(runFile);
  assert.ok(run !== undefined);
  assert.equal(statSync(runFile).mode & 0o777, 0o600);
  const raw: object = JSON.parse(readFileSync(runFile, "utf8"));
  const fields = "state startedAt gateway simulator receiver token appSecret numbers processes";
  assert.deepEqual(Object.keys(raw), fields.split(" "));
  const names = ({ name }: { name: string }): string => name;
  assert.deepEqual(run.numbers.map(names), ["orders", "care"]);
  const withoutRpcs = ["postgres", "nats", "simulator", "gateway", "receiver"];
  const services = ["messages", "templates", "billing", "quality", "webhooks"];
  const connections = ["connection-orders", "connection-care"];
  assert.deepEqual(
    run.processes
      .filter(({ grpc }) => grpc === null)
      .map(names)
      .sort(),
    withoutRpcs.sort(),
  );
  assert.deepEqual(
    run.processes
      .filter(({ grpc }) => grpc !== null)
      .map(names)
      .sort(),
    [...services, ...connections].sort(),
  );
  for (const { name, http } of run.processes)
    if (http !== null) assert.equal((await fetch(`${http}/readyz`)).status, 200, name);
  assert.ok(run.processes.every(isAlive));
  assert.ok(processesOf(dataDir).length >= run.processes.length);
});

test("a second start on the same folder is refused in one line", async (t) => {
  const second = spawnRunner(t, here);
  assert.equal(await second.ended, 1);
  assert.match(second.errors(), /^heliograph runs already on .* \(process \d+\): stop that one, .*\n$/);
});

test("a process that is killed is started again, the terminal says so, and what comes later arrives", async () => {
  const { run, output } = system();
  for (const name of ["billing", "receiver"]) {
    const victim = processNamed(name);
    assert.ok(victim !== undefined);
    process.kill(victim.pid, "SIGKILL");
    await until(() => output().includes(`  ${name} was ended by SIGKILL, restart in 0.2 s\n`));
    await until(() => (processNamed(name)?.pid ?? victim.pid) !== victim.pid);
  }
  await userWrites(run, user, "15550100001", "after the kill");
  await until(async () => JSON.stringify((await webhooks(run)).inbound).includes("after the kill"), {
    timeoutMs: 20_000,
  });
});

test("Ctrl-C ends all in time while an endpoint hangs, and nothing is left behind", async (t) => {
  const { run, runner, output } = system();
  hangs = true;
  await userWrites(run, user, "15550100001", "who answers?");
  await until(() => held.length > 0);
  const askedAt = performance.now();
  runner.kill("SIGINT");
  await until(() => runner.exitCode !== null, { timeoutMs: stopMs, message: output() });
  t.diagnostic(`stopped in ${((performance.now() - askedAt) / 1_000).toFixed(1)} s`);
  assert.equal(runner.exitCode, 0);
  // Webhooks that the receiver prints may still come behind it, nothing else.
  assert.match(output(), /stopping; Ctrl-C again kills\n(?:[\d:.]+Z {2}(?:\+|account ).*\n)*$/);
  await assertNothingLeft();
  assert.deepEqual([runFile, join(dataDir, "lock")].filter(existsSync), []);
});

test("the next start has yesterday's data: what hung is delivered", async (t) => {
  hangs = false;
  received.length = 0;
  running = await startSystem({ dataDir, numbersDir, portBase });
  t.diagnostic(`up in ${(running.startedInMs / 1_000).toFixed(1)} s on yesterday's folder`);
  await until(() => received.some((body) => body.startsWith("2 ") && body.includes("who answers?")), {
    timeoutMs: 30_000,
  });
});

test("a second Ctrl-C kills at once, even what would not end", async () => {
  const { runner } = system();
  for (const { pid } of readRunFile(runFile)?.processes ?? []) process.kill(pid, "SIGSTOP");
  // Presses within half a second of the first count as the same one.
  await until(() => {
    runner.kill("SIGINT");
    return runner.exitCode !== null;
  });
  assert.equal(runner.exitCode, 130);
  await assertNothingLeft();
});
