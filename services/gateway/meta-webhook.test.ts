// The gateway as Meta meets it: verification of the address, signed webhooks in.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { sign } from "#dialects/signature.ts";
import { ServiceError } from "#lib/errors.ts";
import { until } from "#test/until.ts";
import { appSecret, phoneNumberId, type Started, startTestGateway } from "./test-gateway.ts";

let gateway: Started;

before(async () => {
  gateway = await startTestGateway({
    WEBHOOK_BODY_LIMIT_KIB: "32",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
  });
});
after(() => gateway[Symbol.asyncDispose]());
beforeEach(() => {
  gateway.peers.ingested.length = 0;
  gateway.peers.faults.length = 0;
});

const status = { id: "wamid.A", status: "sent", timestamp: "1790000000", recipient_id: "15550001111" };
const value = { messaging_product: "whatsapp", metadata: { phone_number_id: phoneNumberId }, statuses: [status] };
const news = JSON.stringify({
  object: "whatsapp_business_account",
  entry: [{ id: "waba1", changes: [{ field: "messages", value }] }],
});

function deliver(body: string, signature = sign(appSecret, body), more: Record<string, string> = {}) {
  const headers = { "content-type": "application/json", "x-hub-signature-256": signature, ...more };
  return fetch(`${gateway.api}/webhooks/meta`, { method: "POST", headers, body });
}

async function verification(query: Record<string, string>): Promise<[status: number, text: string]> {
  const response = await fetch(`${gateway.api}/webhooks/meta?${new URLSearchParams(query).toString()}`);
  return [response.status, await response.text()];
}

test("the challenge is answered to who knows the verify token", async () => {
  const query = { "hub.mode": "subscribe", "hub.verify_token": "verify me", "hub.challenge": "1158201444" };
  assert.deepEqual(await verification(query), [200, "1158201444"]);
});

test("a wrong verify token is refused", async () => {
  const [code, text] = await verification({ "hub.mode": "subscribe", "hub.verify_token": "no", "hub.challenge": "1" });
  assert.equal(code, 403);
  assert.match(text, /"fbtrace_id"/);
});

test("signed news are in the ledger before 200", async () => {
  const response = await deliver(news);
  assert.deepEqual([response.status, await response.text()], [200, "EVENT_RECEIVED"]);
  assert.equal(gateway.peers.ingested[0]?.statuses[0]?.wamid, "wamid.A");
});

test("a trace that comes with the news goes on in the ledger", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  assert.equal((await deliver(news, sign(appSecret, news), { traceparent })).status, 200);
  assert.match(gateway.peers.trace ?? "", /^00-0af7651916cd43dd8448eb211c80319c-/);
});

test("a body signed over escaped text passes, because raw bytes are verified", async () => {
  const body = news.replace("15550001111", String.raw`1555000111\u0031`);
  const response = await deliver(body);
  assert.equal(response.status, 200);
  assert.equal(gateway.peers.ingested[0]?.statuses[0]?.recipient, "15550001111");
});

test("a bad signature is refused in Meta's shape and nothing is stored", async () => {
  for (const signature of [sign("other", news), "sha256=00", ""]) {
    const response = await deliver(news, signature);
    assert.equal(response.status, 401);
    assert.match(await response.text(), /^{"error":{"message":"\(#190\)/);
  }
  assert.equal(gateway.peers.ingested.length, 0);
});

test("a signed body that is not JSON is kept and answered 200", async () => {
  const response = await deliver("{oops");
  assert.equal(response.status, 200);
  assert.equal(Buffer.from(gateway.peers.ingested[0]?.unparsed[0]?.body ?? []).toString(), "{oops");
  const metrics = await (await fetch(`${gateway.http}/metrics`)).text();
  assert.match(metrics, /gateway_webhook_items_total\{[^}]*kind="unparsed"[^}]*\} 1/);
});

test("a body that is too large is refused", async () => {
  const response = await deliver(`"${"x".repeat(40_000)}"`);
  assert.equal(response.status, 413);
  assert.match(await response.text(), /"code":100/);
});

test("what the ledger cannot take now is 503, so that Meta repeats it", async () => {
  for (let i = 0; i < 3; i += 1) {
    gateway.peers.faults.push(new ServiceError("UNAVAILABLE", "database_unavailable", "database cannot be reached"));
  }
  const response = await deliver(news);
  assert.equal(response.status, 503);
  assert.match(await response.text(), /"code":131016/);
});

test("an ingest that failed once is repeated", async () => {
  gateway.peers.faults.push(new ServiceError("UNAVAILABLE", "stopping", "the server is stopping"));
  assert.equal((await deliver(news)).status, 200);
  assert.equal(gateway.peers.ingested.length, 1);
});

test("a secret added to the folder counts soon", async () => {
  writeFileSync(join(gateway.folder, "secrets", "next"), "next secret");
  await until(async () => (await deliver(news, sign("next secret", news))).status === 200);
  assert.equal((await deliver(news)).status, 200);
});
