// Every query of every panel, asked of a real Prometheus that scraped a real run: none fails, none is empty.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { send, template, text, userWrites } from "#test/client.ts";
import { type Prometheus, startPrometheus, type Target } from "#test/env/prometheus.ts";
import { phoneMessages } from "#test/judge.ts";
import { type RunFile, startSystem, type System } from "#test/system.ts";
import { until } from "#test/until.ts";
import { dashboardNames, readDashboard } from "./dashboard-files.ts";

/** As the chart's PodMonitors label them. */
function targetsOf({ processes }: RunFile): Target[] {
  return processes.flatMap(({ name, http }) => {
    if (http === null || name === "receiver") return [];
    const number = /^connection-(.*)$/.exec(name)?.[1];
    const labels = { namespace: "shop", pod: name, ...(number !== undefined && { number }) };
    return [{ address: new URL(http).host, labels }];
  });
}

describe("queries", () => {
  let system: System;
  let prometheus: Prometheus;
  let number: RunFile["numbers"][number];

  before(async () => {
    system = await startSystem();
    const [first] = system.run.numbers;
    assert.ok(first);
    number = first;
    // Before the traffic: a rate counts from the first scrape.
    prometheus = await startPrometheus(targetsOf(system.run));
    await converse(system.run, number);
  });
  after(async () => {
    await prometheus?.[Symbol.asyncDispose]();
    await system?.[Symbol.asyncDispose]();
  });

  for (const name of dashboardNames) {
    const { panels } = readDashboard(name);
    for (const { title, targets } of panels) {
      test(`${name}: ${title}`, async () => {
        for (const { expr } of targets) {
          const query = expr
            .replaceAll("$__rate_interval", "30m")
            .replaceAll("$namespace", "shop")
            .replaceAll("$number", number.name);
          const samples = await until(
            async () => {
              const found = await prometheus.query(query);
              return found.some(({ value }) => !Number.isNaN(value)) && found;
            },
            { timeoutMs: 60_000, message: query },
          );
          assert.ok(samples.length > 0, query);
        }
      });
    }
  }

  test("what went is told by the dashboards' own queries", async () => {
    const sent = `sum(heliograph_connection_outcomes_total{namespace="shop",number="${number.name}",outcome="taken"})`;
    await until(async () => (await prometheus.query(sent))[0]?.value === 2, { timeoutMs: 60_000, message: sent });
  });
});

/** An answer to a user who wrote, and a template to one who did not. */
async function converse(
  run: RunFile,
  { phoneNumberId, displayPhoneNumber }: RunFile["numbers"][number],
): Promise<void> {
  const [ana, ben] = ["12025550161", "12025550162"] as const;
  await userWrites(run, ana, displayPhoneNumber, "Is my order ready?");
  await until(() => send(run, phoneNumberId, text(ana, "It is. See you soon!")), { timeoutMs: 30_000 });
  await send(run, phoneNumberId, template(ben, "hello_world"));
  for (const user of [ana, ben])
    await until(async () => (await phoneMessages(run, user)).length > 0, { timeoutMs: 60_000, message: `on ${user}` });
}
