import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "#lib/config.ts";
import { readConfig } from "./config.ts";

const least = {
  PHONE_NUMBER_ID: "100200300",
  MESSAGES_ADDRESS: "messages:50051",
  TEMPLATES_ADDRESS: "templates:50051",
  BILLING_ADDRESS: "billing:50051",
  QUALITY_ADDRESS: "quality:50051",
  NATS_URL: "nats://nats:4222",
  ACCESS_TOKEN_FILE: "/etc/heliograph/token",
};

test("the least environment is enough, and each process has a holder name of its own", () => {
  const config = readConfig(least);
  assert.equal(config.UPSTREAM_URL, "https://graph.facebook.com");
  assert.equal(config.EPOCH, 1);
  assert.equal(config.TAKE_OVER, false);
  assert.ok(config.HOLDER.endsWith(`/${process.pid}`));
});

test("--take-over asks the present holder to hand over", () => {
  assert.equal(readConfig(least, ["--take-over"]).TAKE_OVER, true);
});

test("a process that listens on every address must say under which one it is reached", () => {
  const all = { ...least, LISTEN_HOST: "0.0.0.0" };
  assert.throws(() => readConfig(all), ConfigError);
  assert.equal(readConfig({ ...all, ADVERTISED_ADDRESS: "10.0.0.7:50051" }).ADVERTISED_ADDRESS, "10.0.0.7:50051");
});

test("every fault is named", () => {
  const faulty = { ...least, PHONE_NUMBER_ID: "+1 555", UPSTREAM_VERSION: "24" };
  assert.throws(
    () => readConfig(faulty),
    (error) => error instanceof ConfigError && error.faults.length === 2,
  );
});
