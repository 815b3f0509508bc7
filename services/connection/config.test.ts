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
  assert.equal(readConfig({ ...all, ADVERTISED_HOST: "10.0.0.7" }).ADVERTISED_HOST, "10.0.0.7");
});

const hosts: [given: Record<string, string>, listen: string, advertised: string][] = [
  [{}, "127.0.0.1", "127.0.0.1"],
  [{ LISTEN_HOST: "10.0.0.7" }, "10.0.0.7", "10.0.0.7"],
  [{ ADVERTISED_HOST: "10.0.0.7" }, "0.0.0.0", "10.0.0.7"],
  [{ ADVERTISED_HOST: "fd00::7" }, "::", "fd00::7"],
  [{ ADVERTISED_HOST: "orders.example.com" }, "0.0.0.0", "orders.example.com"],
  [{ ADVERTISED_HOST: "fd00::7", LISTEN_HOST: "::1" }, "::1", "fd00::7"],
];
for (const [given, listen, advertised] of hosts) {
  test(`with ${JSON.stringify(given)} it listens on ${listen} and is reached under ${advertised}`, () => {
    const { LISTEN_HOST, ADVERTISED_HOST } = readConfig({ ...least, ...given });
    assert.deepEqual([LISTEN_HOST, ADVERTISED_HOST], [listen, advertised]);
  });
}

test("every fault is named", () => {
  const faulty = { ...least, PHONE_NUMBER_ID: "+1 555", UPSTREAM_VERSION: "24" };
  assert.throws(
    () => readConfig(faulty),
    (error) => error instanceof ConfigError && error.faults.length === 2,
  );
});
