import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ConfigError } from "#lib/config.ts";
import { readConfig } from "./config.ts";
import { startTrial } from "./test-trial.ts";
import { readWorld } from "./world.ts";

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "simulator-world-"));
});
after(() => rm(folder, { recursive: true }));

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const small = `
app: { id: 1, secret: from-the-world, accessTokens: [from-the-world] }
businesses:
  - id: "7"
    name: Small
    accounts:
      - id: "70"
        name: Small
        numbers: [{ id: "700", displayPhoneNumber: "+49 30 5550100", verifiedName: Klein }]
        templates:
          - { id: "7000", name: hi, language: de, category: UTILITY, components: [{ type: BODY, text: Hallo }] }
`;

test("a world of one's own needs little; secrets in files win over those in it", async () => {
  const world = await file("world.yaml", small);
  const token = await file("token", "from-a-file\n");
  await using trial = await startTrial({ env: { SEED_FILE: world, ACCESS_TOKEN_FILE: token } });
  const headers = { authorization: "Bearer from-a-file" };
  const { body } = await trial.graph(
    "GET",
    "/v24.0/700?fields=display_phone_number,status,quality_rating",
    undefined,
    headers,
  );
  assert.deepEqual(body, {
    display_phone_number: "+49 30 5550100",
    status: "CONNECTED",
    quality_rating: "GREEN",
    id: "700",
  });
  const own = await trial.graph("GET", "/v24.0/700", undefined, { authorization: "Bearer from-the-world" });
  assert.equal(own.status, 401);
});

test("the default world has the ids of deploy/samples", () => {
  const [business] = readWorld(undefined).businesses;
  assert.equal(business?.id, "2729063490586005");
  assert.equal(business?.accounts[0]?.id, "102290129340398");
  assert.deepEqual(
    business?.accounts[0]?.numbers.map(({ id, displayPhoneNumber }) => [id, displayPhoneNumber]),
    [
      ["106540352242922", "15550100001"],
      ["106540352242923", "15550100002"],
    ],
  );
});

test("every fault of a world file is named", async () => {
  const broken = await file("broken.yaml", small.replace("category: UTILITY", "category: NEWS").replace('"700"', "x"));
  assert.throws(
    () => readWorld(broken),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /businesses\.0\.accounts\.0\.numbers\.0\.id/);
      assert.match(error.message, /businesses\.0\.accounts\.0\.templates\.0\.category/);
      return true;
    },
  );
  assert.throws(() => readWorld(join(folder, "none.yaml")), ConfigError);
});

test("the environment has defaults, and its faults are named", () => {
  const config = readConfig({});
  assert.deepEqual([config.DELIVER_AFTER_MS, config.READ_AFTER_MS, config.LATENCY_MS], [150, 400, 0]);
  assert.equal(readConfig({ READ_AFTER_MS: "off" }).READ_AFTER_MS, null);
  assert.throws(() => readConfig({ API_PORT: "x", WEBHOOK_URL: "ftp://x" }), /API_PORT[\s\S]*WEBHOOK_URL/);
});
