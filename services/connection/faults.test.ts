// What the wire and the peers can do to a message: it goes at most once, and what is known not to be taken goes again.
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { until } from "#test/until.ts";
import { reported } from "./test-peers.ts";
import { type Answer, refused, startUpstream } from "./test-upstream.ts";
import { startWorld } from "./test-world.ts";

const wireCases: [sentence: string, answer: Answer, word: string][] = [
  ["a connection cut after the request was read", "cut", "unknown connection_cut"],
  ["no answer in time", "hang", "unknown upstream_timeout"],
  ["a 200 with garbage", { status: 200, body: "<html>" }, "unknown answer_unreadable"],
  ["a 503 from in between", { status: 503, body: "<html>" }, "unknown http_503"],
  ["WhatsApp's something went wrong", refused(500, 131_000), "unknown upstream_error_131000"],
  ["a refusal of the message", refused(400, 131_026), "refused upstream_refused 131026"],
  ["an answer that breaks off", "torn", "unknown connection_cut"],
  ["an answer that is not HTTP", "noise", "unknown connection_cut"],
  ["the throughput limit", refused(400, 130_429), "wait throughput_reached"],
  ["the same by HTTP alone", { status: 429, body: "slow down" }, "wait throughput_reached"],
  ["the limit of calls of the account", refused(429, 80_007), "wait account_call_limit"],
  ["that of the app", refused(400, 4), "wait app_call_limit"],
  ["that of the user", refused(400, 17), "wait user_call_limit"],
  ["a template that is syncing", refused(400, 134_101), "wait template_syncing"],
  ["a number that is registered elsewhere", refused(400, 133_010), "wait number_not_registered"],
  ["the pair limit", refused(400, 131_056), "wait pair_limit_reached"],
  ["maintenance", refused(500, 131_057), "wait maintenance"],
  ["a refused token", refused(401, 190), "wait token_refused"],
];

for (const [sentence, answer, word] of wireCases) {
  test(`${sentence}: ${word}`, async () => {
    await using world = await startWorld({ env: { UPSTREAM_TIMEOUT_MS: "300" } });
    world.upstream.answer = () => answer;
    const row = world.messages.accept();
    world.wake();
    await until(() => row.outcomes.length > 0);
    assert.equal(reported(row), word);
    assert.equal(world.upstream.received.length, 1);
  });
}

/** A server of raw sockets. */
async function startRaw(onSocket: (socket: Socket) => void) {
  const server = createServer(onSocket);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { port, [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

const resets: [sentence: string, scheme: string, word: string][] = [
  ["a reset in the TLS handshake, before any of it left", "https", "wait upstream_unreachable"],
  ["a reset at its first bytes", "http", "unknown connection_cut"],
];

for (const [sentence, scheme, word] of resets) {
  test(`${sentence}: ${word}`, async () => {
    await using raw = await startRaw((socket) => socket.once("data", () => socket.resetAndDestroy()));
    await using world = await startWorld({ env: { UPSTREAM_URL: `${scheme}://127.0.0.1:${raw.port}` } });
    const row = world.messages.accept();
    world.wake();
    await until(() => row.outcomes.length > 0);
    assert.equal(reported(row), word);
  });
}

test("WhatsApp's estimate of when calls are allowed again is how long the number rests", async () => {
  await using world = await startWorld();
  const usage = { 900800700: [{ type: "whatsapp", call_count: 101, estimated_time_to_regain_access: 19 }] };
  const headers = { "x-business-use-case-usage": JSON.stringify(usage) };
  world.upstream.answer = () => ({ ...refused(429, 80_007), headers });
  const row = world.messages.accept();
  const from = Date.now();
  world.wake();
  await until(() => reported(row) === "wait account_call_limit");
  const minutes = (row.dueAt.getTime() - from) / 60_000;
  // A fifth is added at random, so that the numbers of an account do not come back in step.
  assert.ok(minutes >= 19 && minutes < 23, `${minutes}`);
});

test("a refusal passes on Meta's code and words", async () => {
  await using world = await startWorld();
  world.upstream.answer = () => refused(400, 131_026);
  const row = world.messages.accept();
  world.wake();
  await until(() => row.state === "done");
  const kind = row.outcomes[0]?.kind;
  assert.ok(kind?.case === "refused");
  const { code, title, message, details } = kind.value.error ?? {};
  assert.deepEqual([code, title, message, details], [131_026, "Some title", "(#131026) Some title", "some details"]);
});

test("what was throttled goes again as the next attempt when it is due", async () => {
  await using world = await startWorld();
  const { messages, upstream, wake } = world;
  const taken = upstream.answer;
  upstream.answer = (sent) => (upstream.received.length === 1 ? refused(400, 130_429) : taken(sent));
  const row = messages.accept();
  wake();
  await until(() => row.state === "done");
  assert.equal(reported(row), `taken wamid.${row.messageId}.2`);
  const [first, second] = upstream.received;
  assert.ok((second?.at ?? 0) - (first?.at ?? 0) >= 1_000);
});

test("what was put back goes before the next to the same user, however late it is claimed again", async () => {
  await using world = await startWorld();
  const { messages, upstream, wake } = world;
  await upstream[Symbol.asyncDispose]();
  const [first, second] = [messages.accept(), messages.accept()];
  wake();
  await until(() => reported(first) === "wait upstream_unreachable");
  // The rest ends, and what memory holds may go, but the ledger does not give the first one again yet.
  messages.away.set("claim", "before");
  await using again = await startUpstream(upstream.port);
  await until(() => Date.now() > first.dueAt.getTime() + 500);
  assert.equal(second.state, "accepted");
  messages.away.clear();
  await until(() => second.state === "done");
  assert.deepEqual(again.texts(), ["text 1", "text 2"]);
});

test("what a claim brings before the ledger knows that an earlier one waits does not overtake that one", async () => {
  await using world = await startWorld({ env: { HELD_LIMIT: "1" } });
  const { messages, upstream, wake } = world;
  const taken = upstream.answer;
  upstream.answer = (sent) => (upstream.received.length === 1 ? refused(400, 131_056) : taken(sent));
  messages.away.set("finish", "before");
  const rows = Array.from({ length: 3 }, () => messages.accept());
  wake();
  await until(() => messages.calls.finish > 0);
  const claims = messages.calls.claim;
  wake();
  await until(() => messages.calls.claim > claims);
  messages.away.clear();
  await until(() => rows.every(({ state }) => state === "done"));
  assert.deepEqual(upstream.texts(), ["text 1", "text 1", "text 2", "text 3"]);
  assert.deepEqual(
    rows.map(({ outcomes }) => outcomes.length),
    [2, 1, 1],
  );
});

test("an upstream that is down fails nothing: one message at a time tries, all go when it is up", async () => {
  await using world = await startWorld();
  const { messages, upstream, wake } = world;
  await upstream[Symbol.asyncDispose]();
  const rows = Array.from({ length: 8 }, (_, at) => messages.accept({ recipient: `1555000300${at}` }));
  wake();
  await until(() => rows.some((row) => reported(row) === "wait upstream_unreachable"));
  await using again = await startUpstream(upstream.port);
  await until(() => rows.every(({ state }) => state === "done"));
  assert.ok(rows.every((row) => reported(row).startsWith("taken")));
  assert.equal(again.received.length, 8);
});

test("a refused token rests the number; a new token is tried without waiting", async () => {
  await using world = await startWorld();
  const { messages, upstream, wake, writeToken } = world;
  const taken = upstream.answer;
  upstream.answer = (sent) => (sent.authorization === "Bearer token two" ? taken(sent) : refused(401, 190));
  const first = messages.accept({ recipient: "15550000001" });
  wake();
  await until(() => reported(first) === "wait token_refused");
  const second = messages.accept({ recipient: "15550000002" });
  wake();
  writeToken("token two");
  await until(() => second.state === "done");
  assert.equal(upstream.received.length, 2);
  assert.equal(first.state, "waiting");
});

test("a lost answer to Begin is asked for again, and the message goes once", async () => {
  await using world = await startWorld();
  const { messages, upstream, wake } = world;
  messages.away.set("begin", "after");
  const row = messages.accept();
  wake();
  await until(() => messages.calls.begin >= 2);
  assert.equal(upstream.received.length, 0);
  messages.away.clear();
  await until(() => row.state === "done");
  assert.equal(row.attempt, 1);
  assert.equal(upstream.received.length, 1);
});

test("a message that Begin does not return is not sent", async () => {
  await using world = await startWorld();
  const { messages, upstream, wake } = world;
  const row = messages.accept();
  const other = messages.accept({ recipient: "15550000002" });
  messages.away.set("begin", "before");
  wake();
  await until(() => messages.calls.begin >= 1);
  row.state = "done";
  messages.away.clear();
  await until(() => other.state === "done");
  assert.deepEqual(upstream.texts(), ["text 2"]);
});

test("an outcome is reported until the ledger has it, and the message is not claimed again meanwhile", async () => {
  await using world = await startWorld();
  const { messages, upstream, wake } = world;
  messages.away.set("finish", "before");
  const refusal = messages.accept({ recipient: "15550000001", lastInboundAt: undefined });
  const sent = messages.accept({ recipient: "15550000002" });
  wake();
  await until(() => messages.calls.finish >= 2);
  wake();
  await until(() => messages.calls.finish >= 3);
  messages.away.clear();
  await until(() => refusal.state === "done" && sent.state === "done");
  assert.deepEqual([refusal.outcomes.length, sent.outcomes.length], [1, 1]);
  assert.equal(upstream.received.length, 1);
});

test("while the messages service is away nothing is sent, and afterwards everything", async () => {
  await using world = await startWorld({ prepare: ({ messages }) => void (messages.renewEveryMs = 100) });
  const { messages, upstream, wake } = world;
  for (const rpc of ["claim", "begin", "finish", "renew"] as const) messages.away.set(rpc, "before");
  const row = messages.accept();
  wake();
  await until(() => messages.calls.claim >= 2 && messages.calls.renew >= 2);
  assert.equal(upstream.received.length, 0);
  messages.away.clear();
  await until(() => row.state === "done");
});

test("what is not on the wire ten seconds after Begin was asked is handed back, and goes as it would have gone", async () => {
  await using world = await startWorld({ prepare: ({ messages }) => void (messages.stopAfterMs = 60_000) });
  const { messages, upstream, ahead, wake } = world;
  messages.onBegin = () => {
    messages.onBegin = () => undefined;
    ahead.wallMs += 10_000;
  };
  const row = messages.accept();
  wake();
  await until(() => row.state === "done");
  const words = row.outcomes.map(({ kind }) => (kind.case === "wait" ? kind.value.reason : kind.case));
  assert.deepEqual(words, ["not_on_wire", "taken"]);
  assert.deepEqual(
    upstream.received.map(({ callbackData }) => callbackData),
    [`${row.messageId}.2`],
  );
});
