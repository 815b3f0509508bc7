import assert from "node:assert/strict";
import { test } from "node:test";
import { testLog } from "#test/env/log.ts";
import { privateNats } from "#test/env/nats.ts";
import { privateDatabase } from "#test/env/postgres.ts";
import { readConfig } from "./config.ts";
import { startWebhooks } from "./start.ts";

test("NATS away takes no copy out of service", async () => {
  await using database = await privateDatabase({ services: ["webhooks"] });
  await using nats = await privateNats();
  const config = readConfig({ DATABASE_URL: database.url, NATS_URL: nats.url, LOG_LEVEL: testLog.level });
  await using service = await startWebhooks({ config, now: () => new Date() });
  const ready = async (): Promise<number> => (await fetch(`${service.http}/readyz`)).status;
  assert.equal(await ready(), 200);
  await nats.stop();
  assert.equal(await ready(), 200);
});
