// A connection process among its peers: what it sends, what it asks, what it reports.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "#test/until.ts";
import { Lane } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { phoneNumberId, reported, type Row, wabaId } from "./test-peers.ts";
import { metric, startWorld } from "./test-world.ts";

const user = "15550001111";
const dayMs = 24 * 60 * 60 * 1_000;

function template(name = "order_update"): Row["content"] {
  return { kind: { case: "template", value: { name, language: "en_US", components: [] } } };
}

test("a message is begun, sent with our callback data and reported, and inside the window nobody is asked", async () => {
  await using world = await startWorld();
  const { messages, upstream, facts, wake } = world;
  const row = messages.accept({ recipient: user });
  wake();
  await until(() => row.state === "done");
  assert.equal(reported(row), `taken wamid.${row.messageId}.1`);
  assert.deepEqual(facts.calls, { templates: 0, billing: 0, quality: 0 });
  assert.equal(upstream.received.length, 1);
  const [sent] = upstream.received;
  assert.equal(sent?.path, `/v24.0/${phoneNumberId}/messages`);
  assert.equal(sent?.authorization, "Bearer token one");
  assert.deepEqual(sent?.body, {
    messaging_product: "whatsapp",
    recipient_type: "individual",
    to: `+${user}`,
    type: "text",
    text: { body: "text 1", preview_url: false },
    biz_opaque_callback_data: `${row.messageId}.1`,
  });
});

test("what waited in the ledger before the process started goes out without any news", async () => {
  let row: Row | undefined;
  await using world = await startWorld({ prepare: ({ messages }) => void (row = messages.accept()) });
  await until(() => row?.state === "done");
  assert.equal(world.messages.calls.claim >= 1, true);
});

test("a lost wake-up costs at most one renewal", async () => {
  await using world = await startWorld({ prepare: ({ messages }) => void (messages.renewEveryMs = 300) });
  await until(() => world.messages.calls.renew >= 1);
  const row = world.messages.accept();
  await until(() => row.state === "done");
});

test("at rest it claims nothing", async () => {
  await using world = await startWorld({ prepare: ({ messages }) => void (messages.renewEveryMs = 50) });
  await until(() => world.messages.calls.renew >= 6);
  const before = world.messages.calls.claim;
  await until(() => world.messages.calls.renew >= 10);
  assert.equal(world.messages.calls.claim, before);
});

test("free-form outside the window is refused with 131047 before it goes anywhere", async () => {
  await using world = await startWorld();
  const row = world.messages.accept({ lastInboundAt: new Date(Date.now() - dayMs) });
  world.wake();
  await until(() => row.state === "done");
  assert.equal(reported(row), "refused window_closed 131047");
  assert.equal(world.facts.calls.billing, 1);
  assert.equal(world.upstream.received.length, 0);
  assert.equal(world.messages.calls.begin, 0);
});

test("billing may know of a later window than the ledger", async () => {
  await using world = await startWorld();
  world.facts.windows.set(user, new Date(Date.now() + 60_000));
  const row = world.messages.accept({ recipient: user, lastInboundAt: undefined });
  world.wake();
  await until(() => row.state === "done");
  assert.match(reported(row), /^taken/);
});

test("templates are asked for once, until there is news of the account", async () => {
  await using world = await startWorld();
  const { messages, facts, nats, wake } = world;
  const send = async (recipient: string): Promise<Row> => {
    const row = messages.accept({ recipient, content: template(), lastInboundAt: undefined });
    wake();
    await until(() => row.state === "done");
    return row;
  };
  assert.match(reported(await send("15550000001")), /^taken/);
  assert.match(reported(await send("15550000002")), /^taken/);
  assert.deepEqual(facts.calls, { templates: 1, billing: 2, quality: 2 });
  facts.templates.set("order_update", "PAUSED");
  nats.publish(`wa.account.message_template_status_update.${wabaId}`);
  await nats.flush();
  assert.equal(reported(await send("15550000003")), "refused template_paused 132015");
  assert.equal(facts.calls.templates, 2);
  assert.equal(facts.calls.quality, 2);
});

const refusals: [sentence: string, change: Partial<Row>, word: string][] = [
  ["an unknown template", { content: template("nothing") }, "refused template_missing 132001"],
  [
    "a user over the limit",
    { content: template(), recipient: "15550000009", lastInboundAt: undefined },
    "refused limit_reached 131048",
  ],
  ["a message that is too late", { expiresAt: new Date(0) }, "expired"],
  ["a message of a kind this version does not know", { content: {} }, "refused type_unsupported 131051"],
];

for (const [sentence, change, word] of refusals) {
  test(`${sentence} ends before the wire`, async () => {
    await using world = await startWorld();
    world.facts.overLimit.add("15550000009");
    const row = world.messages.accept(change);
    world.wake();
    await until(() => row.state === "done");
    assert.equal(reported(row), word);
    assert.equal(world.upstream.received.length, 0);
  });
}

test("while a peer is away its messages stay and the others go; when it is back they go too", async () => {
  await using world = await startWorld();
  const { messages, facts, wake } = world;
  facts.away.add("quality");
  const waiting = messages.accept({ recipient: "15550000001", content: template(), lastInboundAt: undefined });
  const free = messages.accept({ recipient: "15550000002" });
  wake();
  await until(() => free.state === "done" && facts.calls.quality >= 2);
  assert.equal(waiting.outcomes.length, 0);
  facts.away.clear();
  await until(() => waiting.state === "done");
  assert.match(reported(waiting), /^taken/);
});

test("a broadcast does not hold up an answer, and the rate holds in every second", async () => {
  const rate = 10;
  await using world = await startWorld({
    prepare: ({ messages }) => void (messages.spec = { messagesPerSecond: rate }),
  });
  const { messages, upstream, wake } = world;
  for (let at = 0; at < 200; at += 1) messages.accept({ lane: Lane.BULK, recipient: `1555000${1_000 + at}` });
  wake();
  await until(() => upstream.received.length >= rate);
  const before = upstream.received.length;
  const answer = messages.accept({ recipient: user });
  wake();
  await until(() => answer.state === "done");
  const wentFirst = upstream.received.findIndex(({ to }) => to === `+${user}`) - before;
  assert.ok(wentFirst <= 2 * rate, `${wentFirst} of the 190 that waited`);
  await until(() => upstream.received.length >= 2.5 * rate);
  // The pace is kept where messages leave; on a busy machine they are seen to arrive some time later, each its own.
  const times = upstream.received.map(({ at }) => at);
  const most = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 900).length));
  assert.ok(most <= rate, `${most} in one second`);
});

test("a recipient gets 45 at once, the next waits in the ledger for six seconds, and the rest behind it", async () => {
  await using world = await startWorld({ doClocksStand: true });
  const rows = Array.from({ length: 50 }, () => world.messages.accept({ recipient: user }));
  world.wake();
  await until(() => rows[45]?.outcomes.length === 1);
  assert.deepEqual(
    world.upstream.texts(),
    rows.slice(0, 45).map((_, at) => `text ${at + 1}`),
  );
  const [first, ...rest] = rows.slice(45);
  assert.ok(first !== undefined && reported(first) === "wait pair_paced");
  const waitMs = first.dueAt.getTime() - Date.now();
  assert.ok(waitMs > 0 && waitMs <= 6_000, `${waitMs} ms`);
  const claims = world.messages.calls.claim;
  world.wake();
  await until(() => world.messages.calls.claim > claims);
  await until(async () => (await metric(world, "held_reply")) === 0);
  assert.ok(rest.every(({ state, outcomes }) => state === "accepted" && outcomes.length === 0));
});

test("one in flight per recipient, and a slow one holds up nobody else", async () => {
  await using world = await startWorld();
  const { messages, upstream, wake } = world;
  const taken = upstream.answer;
  const slow = Promise.withResolvers<void>();
  upstream.answer = async (sent) => {
    if (sent.to === `+${user}`) await slow.promise;
    return taken(sent);
  };
  const first = messages.accept({ recipient: user });
  const second = messages.accept({ recipient: user });
  wake();
  await until(() => upstream.received.length === 1);
  const others = Array.from({ length: 20 }, (_, at) => messages.accept({ recipient: `1555000${2_000 + at}` }));
  wake();
  await until(() => others.every(({ state }) => state === "done"));
  assert.deepEqual([first.state, second.state], ["sending", "accepted"]);
  slow.resolve();
  await until(() => second.state === "done");
  assert.deepEqual(
    upstream.texts().filter((text) => ["text 1", "text 2"].includes(text)),
    ["text 1", "text 2"],
  );
});

test("answers that take long do not slow the pace down", async () => {
  await using world = await startWorld({ prepare: ({ messages }) => void (messages.spec = { messagesPerSecond: 2 }) });
  world.upstream.answer = () => "hang";
  for (let at = 0; at < 4; at += 1) world.messages.accept({ recipient: `1555000${4_000 + at}` });
  world.wake();
  await until(() => world.upstream.received.length === 4);
});

test("the process says that it is ready while it holds the lease, in at most 60 series", async () => {
  await using world = await startWorld();
  const row = world.messages.accept();
  world.wake();
  await until(() => row.state === "done");
  assert.equal((await fetch(`${world.connection.http}/readyz`)).status, 200);
  const text = await (await fetch(`${world.connection.http}/metrics`)).text();
  const series = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  assert.ok(series.length <= 60, `${series.length} series`);
  assert.match(text, /^heliograph_connection_accept_to_wire_seconds_count\{[^}]*\} 1$/m);
  assert.match(text, /^heliograph_connection_pace_target\{[^}]*\} 500$/m);
  assert.equal(world.messages.address, world.connection.address);
});
