// The gateway as clients meet it: sending, marking as read, what the ledger knows, and what happens while peers are away.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { fromWamid, toWamid } from "#dialects/message-id.ts";
import { ServiceError } from "#lib/errors.ts";
import { Lane } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { until } from "#test/until.ts";
import { z } from "zod";
import {
  phoneNumberId,
  post,
  sendable,
  type Started,
  startTestGateway,
  templateMessage,
  textMessage,
  token,
} from "./test-gateway.ts";

let gateway: Started;

before(async () => {
  gateway = await startTestGateway();
});
after(() => gateway[Symbol.asyncDispose]());
beforeEach(() => {
  const { peers } = gateway;
  for (const list of [peers.sent, peers.read, peers.checked, peers.faults]) list.length = 0;
  peers.verdict = sendable("UTILITY");
});

const acceptedSchema = z.object({ messages: z.tuple([z.object({ id: z.string() })]) });

function idOf(json: unknown): string {
  return fromWamid(acceptedSchema.parse(json).messages[0].id) ?? "";
}

test("a text is accepted and answered as Meta does", async () => {
  const body = textMessage({ biz_opaque_callback_data: "order-42", context: { message_id: "wamid.Q" } });
  const answer = await post(gateway, body, { headers: { "x-request-id": "request-1" } });
  const [sent] = gateway.peers.sent;
  assert.ok(sent);
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json, {
    messaging_product: "whatsapp",
    contacts: [{ input: "+1 555 000 1111", wa_id: "15550001111" }],
    messages: [{ id: toWamid(sent.messageId) }],
  });
  assert.equal(answer.headers.get("facebook-api-version"), "v24.0");
  assert.equal(answer.headers.get("x-request-id"), "request-1");
  assert.equal(sent.phoneNumberId, phoneNumberId);
  assert.equal(sent.recipient, "15550001111");
  assert.equal(sent.lane, Lane.REPLY);
  assert.equal(sent.clientCallbackData, "order-42");
  assert.equal(sent.content?.contextMessageId, "wamid.Q");
  assert.equal(sent.content?.kind.case, "text");
  assert.equal(gateway.peers.checked.length, 0);
});

test("a template is checked first and its category travels with it", async () => {
  const answer = await post(gateway, templateMessage());
  const [sent] = gateway.peers.sent;
  assert.match(JSON.stringify(answer.json), /"message_status":"accepted"/);
  assert.deepEqual([sent?.category, sent?.lane], ["UTILITY", Lane.REPLY]);
  assert.equal(gateway.peers.checked[0]?.wabaId, "waba1");
  assert.equal(gateway.peers.checked[0]?.message?.name, "order_update");
});

test("marketing goes in bulk unless the client says otherwise", async () => {
  gateway.peers.verdict = sendable("MARKETING");
  await post(gateway, templateMessage(), { headers: { "heliograph-campaign": "spring" } });
  await post(gateway, templateMessage(), { headers: { "heliograph-lane": "reply" } });
  const lanes = gateway.peers.sent.map(({ lane, campaign }) => [lane, campaign]);
  assert.deepEqual(lanes, [
    [Lane.BULK, "spring"],
    [Lane.REPLY, ""],
  ]);
});

test("a time to live travels in seconds, and is the number's own where none is named", async () => {
  await post(gateway, textMessage(), { headers: { "heliograph-ttl": "90" } });
  await post(gateway, textMessage());
  assert.deepEqual(
    gateway.peers.sent.map(({ ttlSeconds }) => ttlSeconds),
    [90, 0],
  );
});

test("the idempotency key and the hash of the body are handed on, and the first id is answered", async () => {
  const headers = { "idempotency-key": "order-7" };
  const first = await post(gateway, textMessage(), { headers });
  const second = await post(gateway, textMessage(), { headers });
  const other = await post(gateway, textMessage({ text: { body: "other" } }), { headers });
  assert.equal(idOf(first.json), idOf(second.json));
  const [a, b, c] = gateway.peers.sent.map(({ idempotency }) =>
    Buffer.from(idempotency?.bodyHash ?? []).toString("hex"),
  );
  assert.equal(a?.length, 64);
  assert.equal(a, b);
  assert.notEqual(a, c);
  assert.equal(other.status, 200);
});

test("a send that found nobody is repeated with the same id", async () => {
  gateway.peers.faults.push(new ServiceError("UNAVAILABLE", "stopping", "the server is stopping"));
  gateway.peers.faults.push(new ServiceError("DEADLINE_EXCEEDED", "deadline_exceeded", "too late"));
  const answer = await post(gateway, textMessage());
  const ids = gateway.peers.sent.map(({ messageId }) => messageId);
  assert.equal(ids.length, 3);
  assert.deepEqual(new Set(ids), new Set([idOf(answer.json)]));
});

test("ids are drawn in order", async () => {
  const ids: string[] = [];
  for (let i = 0; i < 5; i += 1) ids.push(idOf((await post(gateway, textMessage())).json));
  assert.deepEqual(ids, [...ids].sort());
});

test("mark as read goes to the number's connection", async () => {
  const read = { messaging_product: "whatsapp", status: "read", message_id: "wamid.IN" };
  const plain = await post(gateway, read);
  await post(gateway, { ...read, typing_indicator: { type: "text" } });
  assert.deepEqual(plain.json, { success: true });
  assert.deepEqual(
    gateway.peers.read.map(({ wamid, typing }) => [wamid, typing]),
    [
      ["wamid.IN", false],
      ["wamid.IN", true],
    ],
  );
  assert.equal(gateway.peers.sent.length, 0);
});

test("a message can be looked up by either id", async () => {
  const messageId = "01936b2e-7c4a-7d10-8f3e-1a2b3c4d5e6f";
  for (const id of [messageId, toWamid(messageId)]) {
    const url = `${gateway.api}/heliograph/v1/messages/${id}`;
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    const shown = { id: toWamid(messageId), messageId, phoneNumberId, recipient: "15550001111" };
    assert.deepEqual(await response.json(), { ...shown, attempt: 1, state: "sent", lane: "reply" });
  }
});

test("the token may stand in the query", async () => {
  const url = `${gateway.api}/v24.0/${phoneNumberId}/messages?access_token=${token}`;
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(textMessage()) });
  assert.equal(response.status, 200);
  await response.body?.cancel();
});

test("requests are measured by route and status", async () => {
  await post(gateway, textMessage());
  const text = await (await fetch(`${gateway.http}/metrics`)).text();
  assert.match(text, /gateway_request_seconds_count\{[^}]*route="\/:version[^}]*status="200"[^}]*\} [1-9]/);
  assert.match(text, /gateway_requests_in_flight\{[^}]*\} 0/);
});

test("while the messages service is away a client is told to come back, then all is well again", async () => {
  await gateway.stopPeers();
  const away = await post(gateway, textMessage());
  assert.equal(away.status, 503);
  assert.match(JSON.stringify(away.json), /"code":131016/);
  assert.ok(away.headers.get("retry-after"));
  const template = await post(gateway, templateMessage());
  assert.match(JSON.stringify(template.json), /"code":131016/);
  const unknown = await post(gateway, textMessage(), { number: "999" });
  assert.equal(unknown.status, 503);
  await until(async () => (await fetch(`${gateway.http}/readyz`)).status === 503);
  await gateway.startPeers();
  assert.equal((await post(gateway, textMessage())).status, 200);
});
