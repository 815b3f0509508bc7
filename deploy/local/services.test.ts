import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { dataFolderAt } from "./data-folder.ts";
import { type Manifests, readManifests } from "./manifests.ts";
import { planPorts } from "./ports.ts";
import { writeSecrets } from "./secrets.ts";
import { connectionsOf, receiverOf, servicesOf, type Site } from "./services.ts";
import { worldFor } from "./world.ts";

const samples = new URL("../samples/", import.meta.url).pathname;

function siteOf(t: TestContext, manifests: Manifests, host = "127.0.0.1"): Site {
  const folder = dataFolderAt(mkdtempSync(join(tmpdir(), "heliograph-services-")));
  t.after(() => rmSync(folder.root, { recursive: true }));
  return {
    host,
    folder,
    ports: planPorts({ base: 9_000 }, manifests.numbers.length),
    files: writeSecrets(folder.secrets, manifests),
    databaseUrl: "postgres://p:w@127.0.0.1:9003/postgres",
    natsUrl: "nats://127.0.0.1:9004",
    worldFile: "/tmp/world.json",
  };
}

test("each number gets a connection with its own ports, token and holder, and no database", (t) => {
  const manifests = readManifests(samples);
  const [orders, care] = connectionsOf(siteOf(t, manifests), manifests);
  assert.ok(orders !== undefined && care !== undefined);
  assert.deepEqual(
    [orders.name, orders.http, orders.grpc],
    ["connection-orders", "http://127.0.0.1:9030", "127.0.0.1:9031"],
  );
  assert.deepEqual([care.name, care.http, care.grpc], ["connection-care", "http://127.0.0.1:9032", "127.0.0.1:9033"]);
  const { ACCESS_TOKEN_FILE = "", ...env } = orders.env;
  assert.equal(readFileSync(ACCESS_TOKEN_FILE, "utf8"), "simulator-access-token\n");
  assert.deepEqual(
    [env["PHONE_NUMBER_ID"], env["HOLDER"], env["UPSTREAM_URL"], env["MESSAGES_ADDRESS"], env["DATABASE_URL"]],
    ["106540352242922", "local/orders", "http://127.0.0.1:9001", "127.0.0.1:9011", undefined],
  );
});

test("a number that is to be disconnected has no process, and the others keep their ports", (t) => {
  const manifests = readManifests(samples);
  const [first] = manifests.numbers;
  assert.ok(first !== undefined);
  first.spec.desiredState = "Disconnected";
  const connections = connectionsOf(siteOf(t, manifests), manifests);
  assert.deepEqual(
    connections.map(({ name, grpc }) => [name, grpc]),
    [["connection-care", "127.0.0.1:9033"]],
  );
});

test("listening everywhere, processes still call each other on loopback", (t) => {
  const manifests = readManifests(samples);
  const site = siteOf(t, manifests, "0.0.0.0");
  const { messages, gateway } = servicesOf(site);
  assert.deepEqual([messages.env["LISTEN_HOST"], messages.grpc], ["0.0.0.0", "127.0.0.1:9011"]);
  assert.equal(gateway.address, "http://127.0.0.1:9000");
  assert.equal(connectionsOf(site, manifests)[0]?.env["ADVERTISED_HOST"], "127.0.0.1");
  assert.equal(receiverOf(site, true).env["PRINT"], "false");
});

test("secrets become files of their owner's; the API token stays, what left the manifests goes", (t) => {
  const manifests = readManifests(samples);
  const { folder, files } = siteOf(t, manifests);
  assert.equal(readFileSync(join(files.appSecretsFolder, "fjord-coffee"), "utf8"), "simulator-app-secret\n");
  assert.equal(readFileSync(join(files.webhookSecretsFolder, "receiver"), "utf8"), "simulator-app-secret\n");
  assert.equal(statSync(files.apiTokenFile).mode & 0o777, 0o600);
  const again = writeSecrets(folder.secrets, { ...manifests, subscriptions: [] });
  assert.equal(again.apiToken, files.apiToken);
  assert.deepEqual(readdirSync(again.webhookSecretsFolder), []);
});

test("the simulator's world has the samples as they are, and whatever else is declared beside them", () => {
  const manifests = readManifests(samples);
  const credentials = { accessTokens: ["a", "b"], appSecret: "s", verifyToken: "v" };
  const webhookUrl = "http://127.0.0.1:9000/webhooks/meta";
  const plain = worldFor(manifests, credentials, webhookUrl);
  assert.deepEqual(
    plain.businesses[0]?.accounts[0]?.numbers.map(({ id }) => id),
    ["106540352242922", "106540352242923"],
  );
  assert.deepEqual([plain.businesses.length, plain.app.secret, plain.app["webhookUrl"]], [1, "s", webhookUrl]);

  const [account] = manifests.accounts;
  const [number] = manifests.numbers;
  assert.ok(account !== undefined && number !== undefined);
  const added = {
    ...number,
    metadata: { name: "bills" },
    spec: { ...number.spec, phoneNumberId: "7", phoneNumber: "+4930123456" },
  };
  const foreign = { ...account, metadata: { name: "bay" }, spec: { ...account.spec, wabaId: "555" } };
  const abroad = { ...added, spec: { ...added.spec, phoneNumberId: "8", accountRef: { name: "bay" } } };
  const accounts = [account, foreign];
  const world = worldFor(
    { ...manifests, accounts, numbers: [...manifests.numbers, added, abroad] },
    credentials,
    webhookUrl,
  );
  assert.deepEqual(world.businesses[0]?.accounts[0]?.numbers[2], {
    id: "7",
    displayPhoneNumber: "4930123456",
    verifiedName: "Fjord Coffee Orders",
  });
  const [bay] = world.businesses[1]?.accounts ?? [];
  assert.deepEqual([bay?.id, bay?.numbers.map(({ id }) => id)], ["555", ["8"]]);
  assert.equal(bay?.templates.length, world.businesses[0]?.accounts[0]?.templates.length);
});
