// Every way in which the API says no, as a client sees it.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { once } from "node:events";
import { after, before, beforeEach, test } from "node:test";
import { ServiceError } from "#lib/errors.ts";
import { toWamid } from "#dialects/message-id.ts";
import { until } from "#test/until.ts";
import {
  phoneNumberId,
  post,
  sendable,
  type Started,
  startTestGateway,
  templateMessage,
  templateRefusal,
  textMessage,
  token,
} from "./test-gateway.ts";

let gateway: Started;

before(async () => {
  gateway = await startTestGateway({ API_BODY_LIMIT_KIB: "16", IN_FLIGHT_REQUESTS: "1" });
});
after(() => gateway[Symbol.asyncDispose]());
beforeEach(() => {
  gateway.peers.faults.length = 0;
  gateway.peers.sent.length = 0;
  gateway.peers.verdict = sendable("UTILITY");
});

function assertError(json: unknown, code: number, details?: RegExp): void {
  const text = JSON.stringify(json);
  assert.match(text, new RegExp(`^{"error":{"message":"\\(#${code}\\) [^"]+","type":"\\w+","code":${code},`));
  assert.match(text, /"fbtrace_id":"[^"]+"/);
  if (details !== undefined) assert.match(text, details);
}

type Case = [
  sentence: string,
  body: unknown,
  options: Parameters<typeof post>[2],
  status: number,
  code: number,
  details?: RegExp,
];

const read = { messaging_product: "whatsapp", status: "read", message_id: "wamid.IN" };
const ours = toWamid("01936b2e-7c4a-7d10-8f3e-1a2b3c4d5e6f");

const cases: Case[] = [
  ["a wrong token", textMessage(), { headers: { authorization: "Bearer wrong" } }, 401, 190],
  ["no token", textMessage(), { headers: { authorization: "" } }, 401, 190],
  ["an unknown number", textMessage(), { number: "999" }, 400, 100, /"error_subcode":33/],
  ["bad JSON", "{oops", {}, 400, 100, /body must be JSON/],
  ["no body", "", {}, 400, 100, /body is empty/],
  ["JSON that is no object", "[]", {}, 400, 100, /must be a JSON object/],
  ["JSON nested beyond reason", "[".repeat(5_000) + "]".repeat(5_000), {}, 400, 100, /nested deeper than 64/],
  ["another content type", "to=1", { headers: { "content-type": "application/x-www-form-urlencoded" } }, 400, 100],
  ["a content type that is none", "{}", { headers: { "content-type": "json" } }, 400, 100],
  [
    "a body that is too large",
    textMessage({ text: { body: "x".repeat(20_000) } }),
    {},
    413,
    100,
    /body must have at most \d+ bytes \(\d+ KiB\)/,
  ],
  ["a missing parameter", textMessage({ text: {} }), {}, 400, 131008, /text.body is missing/],
  ["a bad parameter", textMessage({ text: { body: 7 } }), {}, 400, 131009, /text.body must be a string/],
  ["a type that is not built", textMessage({ type: "image" }), {}, 400, 131051, /today text and template/],
  ["a text too long", textMessage({ text: { body: "x".repeat(4_097) } }), {}, 400, 100, /at most 4096/],
  ["a recipient that is no number", textMessage({ to: "12" }), {}, 400, 131009, /phone number with country code/],
  ["the number itself as recipient", textMessage({ to: "+15550009999" }), {}, 400, 131021],
  ["an unknown lane", textMessage(), { headers: { "heliograph-lane": "fast" } }, 400, 100, /heliograph-lane must be/],
  ["a long campaign", textMessage(), { headers: { "heliograph-campaign": "x".repeat(129) } }, 400, 100],
  [
    "a time to live of nothing",
    textMessage(),
    { headers: { "heliograph-ttl": "0" } },
    400,
    100,
    /heliograph-ttl must be/,
  ],
  [
    "a time to live of words",
    textMessage(),
    { headers: { "heliograph-ttl": "1h" } },
    400,
    100,
    /heliograph-ttl must be/,
  ],
  ["a time to live of years", textMessage(), { headers: { "heliograph-ttl": "99999999" } }, 400, 100],
  [
    "an empty key",
    textMessage(),
    { headers: { "idempotency-key": "" } },
    400,
    100,
    /idempotency-key must not be empty/,
  ],
  ["a long key", textMessage(), { headers: { "idempotency-key": "x".repeat(256) } }, 400, 100],
  ["one of our messages marked as read", { ...read, message_id: ours }, {}, 400, 131009],
  ["mark as read while nothing is connected", read, { number: "2" }, 500, 131057, /"is_transient":true/],
];
for (const [sentence, body, options, status, code, details] of cases) {
  test(sentence, async () => {
    const answer = await post(gateway, body, options);
    assert.equal(answer.status, status);
    assertError(answer.json, code, details);
    assert.equal(gateway.peers.sent.length, 0);
  });
}

const templateCases: [reason: string, status: number, code: number][] = [
  ["template_missing", 404, 132001],
  ["template_paused", 400, 132015],
  ["template_disabled", 400, 132016],
  ["template_parameter_count", 400, 132000],
  ["template_parameter_format", 400, 132012],
  ["template_parameter_value", 400, 132018],
  ["template_text_too_long", 400, 132005],
];
for (const [reason, status, code] of templateCases) {
  test(`${reason} is refused at once`, async () => {
    gateway.peers.verdict = templateRefusal(reason, "body expects 1 parameter, 2 found");
    const answer = await post(gateway, templateMessage());
    assert.equal(answer.status, status);
    assertError(answer.json, code, /body expects 1 parameter, 2 found/);
    assert.equal(gateway.peers.sent.length, 0);
  });
}

const serviceCases: [sentence: string, fault: ServiceError, status: number, code: number, retryAfter: string | null][] =
  [
    ["a key used twice", new ServiceError("ALREADY_EXISTS", "idempotency_conflict", "other body"), 400, 100, null],
    [
      "a full queue",
      new ServiceError("RESOURCE_EXHAUSTED", "overloaded", "full", { retryAfterMs: 2_500 }),
      500,
      131016,
      "3",
    ],
    [
      "an id that it takes for one of another day, for the clocks differ",
      new ServiceError("INVALID_ARGUMENT", "message_id_out_of_time", "id"),
      503,
      131016,
      "1",
    ],
    ["a number just removed", new ServiceError("NOT_FOUND", "number_unknown", "number 1"), 400, 100, null],
    ["a bug", new ServiceError("INTERNAL", "internal", "secret of ours"), 500, 131000, null],
    ["an RPC that is not built", new ServiceError("UNIMPLEMENTED", "not_built", "Send is not built yet"), 400, 3, null],
  ];
for (const [sentence, fault, status, code, retryAfter] of serviceCases) {
  test(`the messages service reports ${sentence}`, async () => {
    gateway.peers.faults.push(fault);
    const answer = await post(gateway, textMessage());
    assert.equal(answer.status, status);
    assertError(answer.json, code);
    assert.equal(answer.headers.get("retry-after"), retryAfter);
    assert.doesNotMatch(JSON.stringify(answer.json), /secret/);
  });
}

test("a database that stays away is 503", async () => {
  for (let i = 0; i < 3; i += 1) {
    gateway.peers.faults.push(new ServiceError("UNAVAILABLE", "database_unavailable", "database cannot be reached"));
  }
  const answer = await post(gateway, textMessage());
  assert.equal(answer.status, 503);
  assertError(answer.json, 131016);
});

test("WhatsApp's refusal of a read is the client's to mend", async () => {
  gateway.peers.faults.push(new ServiceError("FAILED_PRECONDITION", "upstream_refused", "(#100) no such message"));
  const answer = await post(gateway, read);
  assert.equal(answer.status, 400);
  assertError(answer.json, 131009, /no such message/);
});

const paths: [sentence: string, method: string, path: string, status: number][] = [
  ["an unknown path", "GET", "/nothing/here", 400],
  ["an unknown path with a body", "POST", "/nothing", 400],
  ["a wrong method", "GET", `/v24.0/${phoneNumberId}/messages`, 400],
  ["a path without version", "POST", `/latest/${phoneNumberId}/messages`, 400],
  ["a path that is no URL", "GET", "/%zz", 400],
  ["a message nobody knows", "GET", "/heliograph/v1/messages/42", 404],
];
for (const [sentence, method, path, status] of paths) {
  test(`${sentence} is answered in Meta's shape`, async () => {
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(gateway.api + path, { method, headers, ...(method === "POST" && { body: "x" }) });
    assert.equal(response.status, status);
    assertError(await response.json(), 100, /"error_subcode":33/);
  });
}

/** Sends the head of a request and a part of its body. */
async function beginRequest() {
  const { hostname, port } = new URL(gateway.api);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  const head = `POST /v24.0/1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-length: 100\r\n\r\n{`;
  socket.write(head);
  return socket;
}

test("what exceeds the limit of requests in work is refused, and a client that leaves makes room", async () => {
  const socket = await beginRequest();
  await until(async () =>
    /gateway_requests_in_flight\{[^}]*\} 1/.test(await (await fetch(`${gateway.http}/metrics`)).text()),
  );
  const refused = await post(gateway, textMessage());
  assertError(refused.json, 131016, /too many requests/);
  assert.equal(refused.headers.get("retry-after"), "1");
  socket.destroy();
  await until(async () => (await post(gateway, textMessage())).status === 200);
});
