// What `helm test` runs in its pod, against the whole system; and the world that the chart gives the simulator.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { findFreePort } from "#local/server-process.ts";
import { startSystem } from "#test/system.ts";
import { runCli } from "../../services/cli/start.ts";
import { chartFolder, getManifest, release, render } from "./render.ts";

const worldSchema = z.object({ app: z.unknown(), businesses: z.array(z.unknown()) });
const readWorld = (path: string) => worldSchema.parse(JSON.parse(readFileSync(path, "utf8")));

test("the chart's world is the simulator's own and the business of helm test", async () => {
  const own = readWorld("services/simulator/default-world.json");
  const charts = readWorld(join(chartFolder, "files/simulator-world.json"));
  assert.deepEqual({ ...charts, businesses: charts.businesses.slice(0, -1) }, own);
  const number = getManifest(await render({ profile: "all-on" }), "WhatsAppNumber", `${release}-heliograph-trial`);
  const { phoneNumberId, phoneNumber } = z
    .looseObject({ phoneNumberId: z.string(), phoneNumber: z.string() })
    .parse(number.spec);
  const added = JSON.stringify(charts.businesses.at(-1));
  assert.ok(added.includes(`"id":"${phoneNumberId}","displayPhoneNumber":"${phoneNumber.slice(1)}"`));
  assert.ok(added.includes('"registered":false'));
});

test("a number goes through its first conversation, and the command says so", async () => {
  const port = await findFreePort("127.0.0.1");
  await using system = await startSystem({ webhook: `http://127.0.0.1:${port}/` });
  const [number] = system.run.numbers;
  assert.ok(number);
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCli({
    args: ["trial", "--number", number.name, "--simulator", system.run.simulator, "--listen", `127.0.0.1:${port}`],
    env: { HELIOGRAPH_DATA: system.dataDir },
    now: () => new Date(),
    signal: AbortSignal.timeout(120_000),
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  });
  assert.equal(code, 0, err.join("\n"));
  assert.equal(out[0], `connected  ${number.name}`);
  assert.match(out[1] ?? "", /^received {3}Is my order ready\?/);
  assert.match(out.at(-1) ?? "", /^(?:delivered|read) /);
});

test("a number that never comes fails with what is known of it", async () => {
  const err: string[] = [];
  await using system = await startSystem();
  const port = await findFreePort("127.0.0.1");
  const at = ["--simulator", system.run.simulator, "--listen", `127.0.0.1:${port}`];
  const code = await runCli({
    args: ["trial", "--number", "nobody", ...at, "--timeout", "1s"],
    env: { HELIOGRAPH_DATA: system.dataDir },
    now: () => new Date(),
    signal: AbortSignal.timeout(60_000),
    out: () => undefined,
    err: (line) => err.push(line),
  });
  assert.equal(code, 1);
  assert.match(err.join(), /number nobody did not come: it is not declared/);
});
