import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromJson, type JsonObject } from "@bufbuild/protobuf";
import { ListDeliveriesRequestSchema, SubscriptionSchema } from "#proto/heliograph/webhooks/v1/webhooks_pb.ts";
import { parseDeliveryQuery, parseSubscription, toSubscription } from "./wire.ts";

const given = { name: "crm", url: "https://example.com/hook" };
const parse = (more: JsonObject = {}) => parseSubscription(fromJson(SubscriptionSchema, { ...given, ...more }));

test("a subscription that says little gets the defaults", () => {
  assert.deepEqual(parse(), {
    ...given,
    dialect: "cloud",
    events: [],
    phoneNumberIds: [],
    wabaIds: [],
    secrets: [],
    previousSecretsEndAt: undefined,
    keepTryingSeconds: 345_600,
    timeoutMs: 15_000,
    concurrency: 16,
  });
});

test("its secrets are never read back", () => {
  assert.deepEqual(toSubscription(parse({ secrets: ["s3cret"] })).secrets, []);
});

const invalid = { code: "INVALID_ARGUMENT", reason: "subscription_invalid" };
const refused: [sentence: string, more: JsonObject, error: object][] = [
  ["no name", { name: "" }, invalid],
  ["a name with a blank", { name: "my crm" }, invalid],
  ["no url", { url: "" }, invalid],
  ["a url without a host", { url: "https://" }, invalid],
  ["another protocol", { url: "ftp://example.com" }, invalid],
  ["a password in the url", { url: "https://me:secret@example.com" }, invalid],
  ["an unknown kind of event", { events: [7] }, invalid],
  ["an unspecified kind of event", { events: [0] }, invalid],
  ["an unknown dialect", { dialect: 9 }, invalid],
  ["the on-premises dialect", { dialect: 2 }, { code: "UNIMPLEMENTED", reason: "dialect_not_built" }],
  ["the native dialect", { dialect: 3 }, { code: "UNIMPLEMENTED", reason: "dialect_not_built" }],
  ["a phone number id that is none", { phoneNumberIds: ["+1555"] }, invalid],
  ["an account id that is none", { wabaIds: ["abc"] }, invalid],
  ["an empty secret", { secrets: [""] }, invalid],
  ["a secret marked as base64 that is empty", { secrets: ["whsec_"] }, invalid],
  ["a secret marked as base64 that is none", { secrets: [`whsec_${"%".repeat(32)}`] }, invalid],
  ["a secret in base64 of 23 bytes", { secrets: [`whsec_${Buffer.alloc(23).toString("base64")}`] }, invalid],
  ["a deadline under 100 ms", { timeoutMs: 50 }, invalid],
  ["a deadline over a minute", { timeoutMs: 60_001 }, invalid],
  ["too many at once", { concurrency: 257 }, invalid],
  ["more than a month of trying", { keepTryingSeconds: 2_592_001 }, invalid],
];
for (const [sentence, more, error] of refused)
  test(`refused: ${sentence}`, () => assert.throws(() => parse(more), error));

for (const seconds of [9_000_000_000_000_000n, 253_402_300_800n, -62_135_596_801n]) {
  test(`refused: secrets that end ${seconds} s after 1970, which no clock shows`, () => {
    const subscription = create(SubscriptionSchema, { ...given, previousSecretsEndAt: { seconds } });
    assert.throws(() => parseSubscription(subscription), invalid);
  });
}

test("secrets may end at any time that a timestamp may name", () => {
  for (const at of ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
    assert.deepEqual(parse({ previousSecretsEndAt: at }).previousSecretsEndAt, new Date(at));
});

test("a message without a subscription is refused", () => assert.throws(() => parseSubscription(undefined), invalid));

test("a page of deliveries has bounds", () => {
  const query = (pageSize: number, pageToken = "") =>
    parseDeliveryQuery(create(ListDeliveriesRequestSchema, { subscription: "crm", pageSize, pageToken }));
  assert.deepEqual(query(0), { name: "crm", state: undefined, before: undefined, limit: 50 });
  assert.deepEqual(query(100_000, "17"), { name: "crm", state: undefined, before: 17, limit: 500 });
  assert.throws(() => query(10, "' or 1"), { reason: "query_invalid" });
});
