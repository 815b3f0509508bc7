import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { findFreePort } from "./server-process.ts";
import { findTakenPorts, listPorts, planPorts } from "./ports.ts";

test("all ports follow from the base, except those that were chosen", () => {
  const ports = planPorts({ base: 9_000, postgres: 5_432 }, 2);
  assert.deepEqual(
    [ports.gateway, ports.simulator, ports.receiver, ports.postgres, ports.nats],
    [9_000, 9_001, 9_002, 5_432, 9_004],
  );
  assert.deepEqual(ports.services.messages, { http: 9_010, grpc: 9_011 });
  assert.deepEqual([ports.services.gateway, ports.services.simulator], [{ http: 9_020 }, { http: 9_022 }]);
  assert.deepEqual(ports.connections, [
    { http: 9_030, grpc: 9_031 },
    { http: 9_032, grpc: 9_033 },
  ]);
});

test("no port stands for two things", () => {
  const ports = listPorts(planPorts({ base: 8_400 }, 20), true).map(({ port }) => port);
  assert.equal(new Set(ports).size, ports.length);
});

test("more numbers than there are ports above the base are refused", () => {
  assert.throws(() => planPorts({ base: 65_000 }, 300), /do not fit above 65000: choose a lower --port-base/);
});

test("a port that is taken, or chosen twice, is named with the option that changes it", async (t) => {
  const server = createServer();
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const free = await findFreePort("127.0.0.1");
  const faults = await findTakenPorts("127.0.0.1", [
    { port: address.port, what: "gateway", option: "--gateway-port or --port-base" },
    { port: free, what: "nats", option: "--nats-port or --port-base" },
    { port: free, what: "postgres", option: "--postgres-port or --port-base" },
  ]);
  assert.deepEqual(faults, [
    `port ${address.port} (gateway) is taken: choose another with --gateway-port or --port-base`,
    `port ${free} is chosen twice, for nats and postgres: change it with --postgres-port or --port-base`,
  ]);
});
