// What is known of a request that got no answer: whether it may have left.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { testLog } from "#test/env/log.ts";
import { until } from "#test/until.ts";
import { readConfig } from "./config.ts";
import { startUpstream } from "./test-upstream.ts";
import { watchToken } from "./token.ts";
import { createUpstream } from "./upstream.ts";

const folder = mkdtempSync(join(tmpdir(), "heliograph-upstream-"));
const tokenFile = join(folder, "token");
writeFileSync(tokenFile, "secret");
after(() => rmSync(folder, { recursive: true }));

function driver(url: string, env: Record<string, string> = {}) {
  const address = "127.0.0.1:1";
  const config = readConfig({
    PHONE_NUMBER_ID: "1",
    MESSAGES_ADDRESS: address,
    TEMPLATES_ADDRESS: address,
    BILLING_ADDRESS: address,
    QUALITY_ADDRESS: address,
    NATS_URL: "nats://127.0.0.1:1",
    ACCESS_TOKEN_FILE: tokenFile,
    UPSTREAM_URL: url,
    ...env,
  });
  return createUpstream({ config, token: watchToken({ path: tokenFile, nowMs: () => 0, log: testLog }) });
}

const post = { method: "POST", path: "1/messages", body: { to: "1" } } as const;

test("a request that the gate holds back never leaves, and the connection serves the next one", async () => {
  await using server = await startUpstream();
  await using upstream = driver(server.url);
  const held = await upstream.request({ ...post, gate: () => false });
  assert.equal(held.kind === "not_sent" && held.cause, "held_back");
  const reply = await upstream.request({ ...post, gate: () => true });
  assert.equal(reply.kind, "reply");
  assert.equal(server.received.length, 1);
});

test("the gate is asked once a connection is there, right before the first byte", async () => {
  await using server = await startUpstream();
  await using upstream = driver(server.url);
  let asked = 0;
  const answered = upstream.request({ ...post, gate: () => (asked += 1) > 0 });
  assert.equal(asked, 0);
  await answered;
  assert.equal(asked, 1);
});

test("a refused connection sends nothing", async () => {
  const server = await startUpstream();
  await server[Symbol.asyncDispose]();
  await using upstream = driver(server.url);
  const answer = await upstream.request(post);
  assert.equal(answer.kind === "not_sent" && answer.cause, "not_connected");
});

test("a connection that is reset during the TLS handshake sends nothing", async () => {
  const server = createServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  await using upstream = driver(`https://127.0.0.1:${address.port}`);
  const answer = await upstream.request(post);
  assert.equal(answer.kind === "not_sent" && answer.cause, "not_connected");
  server.close();
});

test("a connection that never comes about sends nothing", async () => {
  const server = createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  await using upstream = driver(`https://127.0.0.1:${address.port}`, { UPSTREAM_TIMEOUT_MS: "100" });
  const answer = await upstream.request(post);
  assert.equal(answer.kind === "not_sent" && answer.cause, "not_connected");
  server.close();
});

test("what was cut, or ended by us, after it left is lost", async () => {
  await using server = await startUpstream();
  await using upstream = driver(server.url);
  server.answer = () => "cut";
  const cut = await upstream.request(post);
  assert.equal(cut.kind === "lost" && cut.cause, "cut");
  server.answer = () => "hang";
  const ending = new AbortController();
  const answer = upstream.request({ ...post, signal: ending.signal });
  await until(() => server.received.length === 2);
  ending.abort();
  const ended = await answer;
  assert.equal(ended.kind === "lost" && ended.cause, "cut");
});

test("a time-out after it left is lost", async () => {
  await using server = await startUpstream();
  await using upstream = driver(server.url, { UPSTREAM_TIMEOUT_MS: "100" });
  server.answer = () => "hang";
  const answer = await upstream.request(post);
  assert.equal(answer.kind === "lost" && answer.cause, "timeout");
});

test("a request whose signal has aborted already is held back", async () => {
  await using server = await startUpstream();
  await using upstream = driver(server.url);
  const answer = await upstream.request({ ...post, signal: AbortSignal.abort() });
  assert.equal(answer.kind === "not_sent" && answer.cause, "held_back");
  assert.equal(server.received.length, 0);
});

test("a base path stands before the version", async () => {
  await using server = await startUpstream();
  await using upstream = driver(`${server.url}/graph/`);
  await upstream.request({ method: "GET", path: "1", query: { fields: "a,b" } });
  assert.deepEqual(
    server.received.map(({ path }) => path),
    ["/graph/v24.0/1?fields=a%2Cb"],
  );
});
