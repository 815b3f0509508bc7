// deploy/compose.yaml, without Docker: the file against its schema and the house's rules, then each of its commands with its environment,
// files and health check, from the bundle that the image is made of. Hosts of the file become ports of this machine.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { z } from "zod";
import { spawnServer } from "#local/server-process.ts";
import { text } from "#test/client.ts";
import { privateFolder } from "#test/env/folder.ts";
import { type PrivateDatabase, privateDatabase } from "#test/env/postgres.ts";
import { freePortBase } from "#test/system.ts";
import { until } from "#test/until.ts";
import { root } from "./image/sources.ts";
import { asProcess, entrypointOf, sharedBundle, type Spawned, spawnProcess } from "./image/test-bundle.ts";

const source = readFileSync(join(root, "deploy/compose.yaml"), "utf8");
const document: unknown = parse(source, { merge: true });

const mount = z.union([
  z.string().transform((name) => ({ source: name, target: `/run/secrets/${name}` })),
  z.object({ source: z.string(), target: z.string() }),
]);
const serviceSchema = z.object({
  image: z.string(),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  secrets: z.array(mount).default([]),
  configs: z.array(mount).default([]),
  volumes: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  networks: z.array(z.string()).default([]),
  profiles: z.array(z.string()).default([]),
  restart: z.string(),
  user: z.string().optional(),
  read_only: z.boolean(),
  cap_drop: z.array(z.string()).default([]),
  security_opt: z.array(z.string()),
  mem_limit: z.string().optional(),
  healthcheck: z.object({ test: z.array(z.string()).default([]), disable: z.boolean().default(false) }).optional(),
});
const composeSchema = z.object({
  services: z.record(z.string(), serviceSchema),
  configs: z.record(z.string(), z.object({ content: z.string() })),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
});
type Service = z.output<typeof serviceSchema>;

const compose = composeSchema.parse(document);
const isOurs = ({ image }: Service): boolean => image.startsWith("${HELIOGRAPH_IMAGE");
const ours = Object.entries(compose.services).filter(([, service]) => isOurs(service));

/** As Compose replaces ${NAME:-default}. */
function interpolate(words: string, values: Record<string, string>): string {
  return words.replaceAll(/\$\{(\w+):-([^}]*)\}/g, (_, name: string, usual: string) => values[name] ?? usual);
}

test("the file is what the Compose specification allows", () => {
  const schemaFile = join(root, "node_modules/dclint/schemas/compose.schema.json");
  const { $schema: _, ...schema } = JSON.parse(readFileSync(schemaFile, "utf8"));
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  const isValid = ajv.compile(schema);
  assert.ok(isValid(document), ajv.errorsText(isValid.errors));
  const wrong = structuredClone(document) as { services: { gateway: { restrat?: string } } };
  wrong.services.gateway.restrat = "always";
  assert.ok(!isValid(wrong), "the schema would take anything");
});

test("containers may do little: no root, no capabilities, nothing to write to, no new privileges, little memory", () => {
  for (const [name, service] of ours) {
    assert.equal(service.user, "65532:65532", name);
    assert.deepEqual(service.cap_drop, ["ALL"], name);
    assert.ok(service.mem_limit !== undefined, name);
  }
  for (const [name, service] of Object.entries(compose.services)) {
    assert.equal(service.read_only, true, name);
    assert.deepEqual(service.security_opt, ["no-new-privileges:true"], name);
  }
});

test("what runs is started again and has a health check; what runs once has none", () => {
  const restarts = (service: Service): boolean => service.restart === "unless-stopped";
  for (const [name, service] of Object.entries(compose.services)) {
    const hasCheck = service.healthcheck !== undefined && !service.healthcheck.disable;
    assert.equal(restarts(service), hasCheck, name);
  }
  assert.deepEqual(
    Object.keys(compose.services).filter((name) => !restarts(compose.services[name] ?? assert.fail())),
    ["nats-volume", "apply"],
  );
});

test("of all ports only the gateway's is open to other machines, and stores have no way out", () => {
  for (const [name, { ports }] of Object.entries(compose.services)) {
    if (name !== "gateway") for (const port of ports) assert.match(port, /^127\.0\.0\.1:/, name);
  }
  for (const name of ["postgres", "nats"]) assert.deepEqual(compose.services[name]?.networks, ["inside"]);
});

test("the image is that of this version, and no secret stands in the environment", () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const [name, { image, environment }] of ours) {
    assert.ok(interpolate(image, {}).endsWith(`:${version}`), name);
    assert.deepEqual(
      Object.keys(environment).filter(
        (variable) => /TOKEN|SECRET|PASSWORD|DATABASE_URL/.test(variable) && !/_(FILE|DIR)$/.test(variable),
      ),
      [],
    );
  }
});

const hasPgIsReady = (process.env["PATH"] ?? "")
  .split(delimiter)
  .some((folder) => existsSync(join(folder, "pg_isready")));
const orders = { phoneNumberId: "106540352242922", displayPhoneNumber: "15550100001" };
const apiToken = "token-of-a-client";
const resources = `
apiVersion: heliograph.dev/v1alpha1
kind: WhatsAppBusinessAccount
metadata: { name: fjord-coffee }
spec: { wabaId: "102290129340398", credentialsRef: { name: account } }
---
apiVersion: heliograph.dev/v1alpha1
kind: WhatsAppNumber
metadata: { name: orders }
spec:
  accountRef: { name: fjord-coffee }
  phoneNumberId: "${orders.phoneNumberId}"
  phoneNumber: "+${orders.displayPhoneNumber}"
`;

describe("the commands of the file, started", () => {
  const opened = new AsyncDisposableStack();
  const started = new Map<string, Spawned>();
  const folder = privateFolder("compose");
  let app = "";
  let database: PrivateDatabase;
  let portBase = 0;
  const ports = new Map<string, number>();

  /** Of this machine, for a port of a service. */
  const portOf = (service: string, port: string): number => {
    const key = `${service}:${port}`;
    const known = ports.get(key) ?? portBase + ports.size;
    ports.set(key, known);
    return known;
  };
  const names = Object.keys(compose.services).sort((a, b) => b.length - a.length);
  const address = new RegExp(`\\b(${names.join("|")}):(\\d+)\\b`, "g");
  const values = {
    RESOURCES: join(folder, "resources"),
    SECRETS: join(folder, "secrets"),
    UPSTREAM_URL: "http://simulator:8400",
  };
  const fileOf = (name: string, path: string): string => join(folder, "containers", name, path);

  /** A value of a service's environment as it is on this machine. */
  function here(name: string, variable: string, value: string): string {
    if (/^(HTTP|GRPC|API)_PORT$/.test(variable)) return String(portOf(name, value));
    const words = interpolate(value, values);
    const bind = (compose.services[name]?.volumes ?? []).map((volume) => interpolate(volume, values).split(":"));
    const [outside] = bind.find(([, inside]) => inside === words) ?? [];
    if (outside !== undefined) return outside;
    if (words.startsWith("/run/secrets")) return fileOf(name, words);
    if (names.includes(words)) return "127.0.0.1";
    return words.replaceAll(address, (_, host: string, port: string) => `127.0.0.1:${portOf(host, port)}`);
  }

  function environmentOf(name: string): Record<string, string> {
    const { environment } = compose.services[name] ?? assert.fail(`no service ${name}`);
    return Object.fromEntries(
      Object.entries(environment).map(([variable, value]) => [variable, here(name, variable, value)]),
    );
  }

  /** Secrets and configurations as Compose mounts them. */
  function mountFiles(name: string): void {
    const { secrets, configs } = compose.services[name] ?? assert.fail();
    const put = (target: string, content: string): void => {
      mkdirSync(dirname(fileOf(name, target)), { recursive: true });
      writeFileSync(fileOf(name, target), content);
    };
    for (const { source: secret, target } of secrets)
      put(target, readFileSync(interpolate(compose.secrets[secret]?.file ?? "", values), "utf8"));
    for (const { source: config, target } of configs) put(target, compose.configs[config]?.content ?? "");
  }

  async function start(name: string): Promise<Spawned> {
    mountFiles(name);
    const { command, args } = await entrypointOf(app);
    const words = compose.services[name]?.command ?? [];
    // Not from the repository: nothing may be found there by chance.
    const spawned = opened.use(spawnProcess(command, [...args, ...words], environmentOf(name), folder));
    started.set(name, spawned);
    return spawned;
  }

  /** The check itself, as a process with the environment of the service. */
  async function checkHealth(name: string): Promise<{ code: number | null; output: string }> {
    const [kind, ...words] = compose.services[name]?.healthcheck?.test ?? [];
    assert.equal(kind, "CMD", name);
    const { command, args } = asProcess(words, app);
    await using check = spawnProcess(command, args, environmentOf(name), folder);
    const { code } = await check.exit;
    return { code, output: check.output() };
  }

  before(async () => {
    [{ app }, database, portBase] = await Promise.all([sharedBundle(), privateDatabase(), freePortBase()]);
    opened.use(database);
    const files: Record<string, string> = {
      "resources/all.yaml": resources,
      "secrets/postgres-password": "not used here",
      "secrets/database-url": database.url,
      "secrets/api-tokens": `${apiToken}\n`,
      "secrets/account/accessToken": "an-access-token\n",
      "secrets/account/appSecret": "an-app-secret\n",
      "secrets/account/verifyToken": "a-verify-token\n",
    };
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
  });
  after(() => opened.disposeAsync());

  test("NATS starts with the configuration of the file and is healthy by its check", async () => {
    mountFiles("nats");
    const { command, configs, healthcheck } = compose.services["nats"] ?? assert.fail();
    const [config] = configs;
    assert.deepEqual(command, ["nats-server", "-c", config?.target]);
    const file = fileOf("nats", config?.target ?? "");
    const content = readFileSync(file, "utf8")
      .replace(/^port: (\d+)$/m, (_, port: string) => `host: 127.0.0.1\nport: ${portOf("nats", port)}`)
      .replace(/^http: (\d+)$/m, (_, port: string) => `http: 127.0.0.1:${portOf("nats", port)}`)
      .replace("/data", join(folder, "nats"));
    writeFileSync(file, content);
    const binary = process.env["HELIOGRAPH_TEST_NATS"] ?? assert.fail();
    const server = await spawnServer({ command: binary, args: ["-c", file], logFile: join(folder, "nats.log") });
    opened.defer(() => server.stop(["SIGTERM"]));
    const url = new URL(healthcheck?.test.at(-1) ?? "");
    const check = `http://127.0.0.1:${portOf("nats", url.port)}${url.pathname}`;
    await until(async () => (await fetch(check)).ok, { timeoutMs: 30_000, message: server.output() });
  });

  test("the settings of Postgres are known to Postgres, with the values of the file", async () => {
    const [program, ...words] = compose.services["postgres"]?.command ?? [];
    assert.equal(program, "postgres");
    const settings = words.filter((word) => word !== "-c").map((word) => word.split("="));
    assert.ok(settings.length > 0);
    for (const [name, value] of settings) {
      const { rows } = await database.pool.query<{ vartype: string; enumvals: string[] | null }>(
        "select vartype, enumvals from pg_settings where name = $1",
        [name],
      );
      assert.equal(rows.length, 1, name);
      if (rows[0]?.vartype === "integer") assert.match(value ?? "", /^\d+$/);
      else assert.ok(["on", "off", ...(rows[0]?.enumvals ?? [])].includes(value ?? ""), name);
    }
  });

  test(
    "the check of Postgres finds it healthy",
    { skip: hasPgIsReady ? false : "there is no pg_isready here" },
    async () => {
      const [, program = "", ...words] = compose.services["postgres"]?.healthcheck?.test ?? [];
      assert.equal(program, "pg_isready");
      const { port } = new URL(database.url);
      await using check = spawnProcess(program, [...words, `--port=${port}`], { PATH: process.env["PATH"] ?? "" });
      assert.deepEqual(await check.exit, { code: 0, signal: null }, check.output());
    },
  );

  test("every service becomes healthy by its own check, and the resources are applied", async () => {
    const running = ours.map(([name]) => name);
    for (const name of running) await start(name);
    const told = (): string => running.map((name) => `${name}: ${started.get(name)?.output()}`).join("\n");
    const apply = started.get("apply") ?? assert.fail();
    await until(() => [...started.values()].some((process) => process.ended()), {
      timeoutMs: 120_000,
      message: "apply does not end",
    });
    assert.deepEqual(apply.ended(), { code: 0, signal: null }, told());
    assert.match(apply.output(), /^applied: 1 accounts, 1 numbers, 0 subscriptions$/m);
    for (const name of running.filter((one) => one !== "apply")) {
      const url = `http://127.0.0.1:${environmentOf(name)["HTTP_PORT"]}/readyz`;
      await until(async () => (await fetch(url)).ok, { timeoutMs: 60_000, message: `${name} is not ready` });
      assert.deepEqual(await checkHealth(name), { code: 0, output: "" }, name);
    }
  });

  test("a user writes, the answer goes through the gateway and reaches the phone", async () => {
    const user = "12025550177";
    const phone = `http://127.0.0.1:${portOf("simulator", "8400")}/admin/phones/${user}/messages`;
    const gateway = `http://127.0.0.1:${portOf("gateway", "8400")}/v24.0/${orders.phoneNumberId}/messages`;
    const post = (url: string, body: object, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      });
    await post(phone, { to: orders.displayPhoneNumber, type: "text", text: "Is it ready?" });
    // Nobody answers what has not arrived; outside of the window the answer would be refused.
    await until(async () => (await database.pool.query("select from messages.inbound")).rows.length > 0, {
      timeoutMs: 60_000,
      message: "the user's message has not arrived",
    });
    const answer = await post(gateway, text(user, "It is."), { authorization: `Bearer ${apiToken}` });
    assert.equal(answer.status, 200, await answer.text());
    await until(async () => (await (await fetch(phone)).text()).includes("It is."), {
      timeoutMs: 30_000,
      message: "not on the phone",
    });
  });

  test("each ends in order when told to, and its health check says that it is gone", async () => {
    const stoppable = [...started].filter(([name]) => name !== "apply");
    const ends = await Promise.all(stoppable.map(async ([name, process]) => [name, await process.stop()] as const));
    for (const [name, end] of ends)
      assert.deepEqual(end, { code: 0, signal: null }, `${name}: ${started.get(name)?.output()}`);
    const { code, output } = await checkHealth("messages");
    assert.equal(code, 1);
    assert.match(output, /ECONNREFUSED/);
  });
});
