import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry, startHttp } from "./http.ts";
import { createLog } from "./log.ts";

const log = createLog({ service: "test", level: "silent" });
const options = { host: "127.0.0.1", port: 0, log };

test("health is up, readiness names what is not, metrics are few", async () => {
  let isConnected = true;
  const registry = createRegistry("demo");
  await using http = await startHttp({
    ...options,
    registry,
    checks: {
      database: () => isConnected,
      nats: () => Promise.resolve(true),
    },
  });
  assert.equal((await fetch(`${http.url}/healthz`)).status, 200);
  assert.equal((await fetch(`${http.url}/readyz`)).status, 200);
  isConnected = false;
  const notReady = await fetch(`${http.url}/readyz`);
  assert.equal(notReady.status, 503);
  assert.deepEqual(await notReady.json(), { ready: false, checks: { database: false, nats: true } });
  const metrics = await (await fetch(`${http.url}/metrics`)).text();
  assert.match(metrics, /nodejs_eventloop_lag_p99_seconds\{service="demo"\}/);
  const series = metrics.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  assert.ok(series.length <= 40, `${series.length} series`);
  assert.equal((await fetch(`${http.url}/other`)).status, 404);
});

test("a loop that is stuck makes the process unhealthy, and nothing else does", async () => {
  let isTurning = true;
  await using http = await startHttp({
    ...options,
    registry: createRegistry("demo"),
    checks: { database: () => false },
    liveness: { renew: () => isTurning },
  });
  assert.equal((await fetch(`${http.url}/healthz`)).status, 200);
  isTurning = false;
  const stuck = await fetch(`${http.url}/healthz`);
  assert.equal(stuck.status, 503);
  assert.deepEqual(await stuck.json(), { alive: false, checks: { renew: false } });
});

test("a check that throws counts as not ready", async () => {
  await using http = await startHttp({
    ...options,
    registry: createRegistry("demo"),
    checks: { broken: () => Promise.reject(new Error("x")) },
  });
  assert.equal((await fetch(`${http.url}/readyz`)).status, 503);
});

test("a taken port is an error with its number", async () => {
  await using first = await startHttp({ ...options, registry: createRegistry("demo"), checks: {} });
  await assert.rejects(startHttp({ ...options, port: first.port, registry: createRegistry("demo"), checks: {} }), {
    code: "EADDRINUSE",
    port: first.port,
  });
});
