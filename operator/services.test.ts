import assert from "node:assert/strict";
import { test } from "node:test";
import { testLog } from "#test/env/log.ts";
import { fencedServices, openServices } from "./services.ts";

const nowhere = "127.0.0.1:1";
const addresses = {
  MESSAGES_ADDRESS: nowhere,
  QUALITY_ADDRESS: nowhere,
  TEMPLATES_ADDRESS: nowhere,
  WEBHOOKS_ADDRESS: nowhere,
};

test("only the leader changes services and WhatsApp; whoever follows may read", async () => {
  await using opened = openServices(addresses, testLog);
  const terms: number[] = [];
  const services = fencedServices(opened, () => terms.at(-1));
  const changes = [
    () => services.messages.applyNumber({}),
    () => services.messages.revoke({}),
    () => services.templates.deleteTemplate({}),
    () => services.webhooks.removeSubscription({}),
    () => services.upstream(nowhere, (upstream) => upstream.register({})),
  ];
  for (const change of changes) await assert.rejects(change(), /does not lead/);
  const called = (error: Error): boolean => !/does not lead/.test(error.message);
  await assert.rejects(services.messages.getNumber({}), called);
  terms.push(1);
  for (const change of changes) await assert.rejects(change(), called);
});
