import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { ServiceError } from "#lib/errors.ts";
import { countFenced } from "./fence-count.ts";
import { createMetrics } from "./metrics.ts";

test("what a lease refuses is counted by call, and nothing else is", async () => {
  const registry = new Registry();
  const metrics = createMetrics(registry, () => 0);
  const handle = countFenced(metrics, "renew", (reason: string) =>
    reason === ""
      ? Promise.resolve("renewed")
      : Promise.reject(new ServiceError("FAILED_PRECONDITION", reason, reason)),
  );
  assert.equal(await handle(""), "renewed");
  await assert.rejects(handle("fenced"), /fenced/);
  await assert.rejects(handle("number_unknown"), /number_unknown/);
  assert.match(await registry.metrics(), /^messages_fence_rejections_total\{call="renew"\} 1$/m);
});
