import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { sign } from "#dialects/signature.ts";
import { startReceiver } from "./receiver.ts";

const body = JSON.stringify({
  entry: [{ id: "102", changes: [{ field: "account_review_update", value: { decision: "APPROVED" } }] }],
});

async function start(t: TestContext) {
  const printed: string[] = [];
  const receiver = await startReceiver({
    host: "127.0.0.1",
    port: 0,
    secrets: ["old", "key"],
    print: (line) => printed.push(line),
    now: () => new Date("2026-11-23T10:00:00.250Z"),
  });
  t.after(() => receiver[Symbol.asyncDispose]());
  const deliver = async (signature: string, content = body): Promise<number> => {
    const headers = { "x-hub-signature-256": signature };
    return (await fetch(`${receiver.url}/webhook`, { method: "POST", headers, body: content })).status;
  };
  const log = async (query = ""): Promise<unknown> => (await fetch(`${receiver.url}/log${query}`)).json();
  return { receiver, printed, deliver, log };
}

test("a signed delivery is acknowledged, printed in a line and kept as it came", async (t) => {
  const { printed, deliver, log } = await start(t);
  assert.equal(await deliver(sign("key", body)), 200);
  assert.deepEqual(printed, ['10:00:00.250Z  account 102: account_review_update {"decision":"APPROVED"}']);
  assert.deepEqual(await log(), {
    entries: [
      { seq: 1, receivedAt: "2026-11-23T10:00:00.250Z", signatureOk: true, status: 200, body: JSON.parse(body) },
    ],
  });
  assert.deepEqual(await log("?after=1"), { entries: [] });
});

test("a delivery with another signature is refused, said so, and kept", async (t) => {
  const { printed, deliver } = await start(t);
  assert.equal(await deliver(sign("other", body)), 401);
  assert.match(printed[0] ?? "", /SIGNATURE IS NOT GOOD, answered 401$/);
});

test("a body that is no JSON is kept as text", async (t) => {
  const { deliver, log } = await start(t);
  assert.equal(await deliver(sign("old", "hello"), "hello"), 200);
  assert.deepEqual(await log(), {
    entries: [{ seq: 1, receivedAt: "2026-11-23T10:00:00.250Z", signatureOk: true, status: 200, body: "hello" }],
  });
});

test("an id beyond 2^53 is printed as it came", async (t) => {
  const { printed, deliver } = await start(t);
  const news = body.replace('{"decision":"APPROVED"}', '{"message_template_id":9007199254740993}');
  await deliver(sign("key", news), news);
  assert.match(printed[0] ?? "", /\{"message_template_id":9007199254740993\}$/);
});

test("metrics count the deliveries by status", async (t) => {
  const { receiver, deliver } = await start(t);
  await deliver(sign("key", body));
  const metrics = await (await fetch(`${receiver.url}/metrics`)).text();
  assert.match(metrics, /receiver_deliveries_total\{status="200",service="receiver"\} 1/);
});

test("it fails as often as it was told, then recovers", async (t) => {
  const { receiver, deliver } = await start(t);
  await fetch(`${receiver.url}/fail`, { method: "POST", body: '{"status": 503, "times": 2}' });
  const answers = [
    await deliver(sign("key", body)),
    await deliver(sign("key", body)),
    await deliver(sign("key", body)),
  ];
  assert.deepEqual(answers, [503, 503, 200]);
  assert.equal((await fetch(`${receiver.url}/fail`, { method: "POST", body: "often" })).status, 400);
});
