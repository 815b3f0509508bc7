// Delivery of news to the business: handshake, retries, batches, and what goes wrong on purpose.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { until } from "#test/until.ts";
import { hello, startReceiver, startTrial, type Trial, waba } from "./test-trial.ts";

const ana = "15550100999";
let trial: Trial;

before(async () => {
  trial = await startTrial({ env: { READ_AFTER_MS: "off" } });
});
after(() => trial[Symbol.asyncDispose]());
beforeEach(async () => {
  await trial.admin("POST", "reset");
  trial.receiver.answer = () => 200;
  trial.receiver.posts.length = 0;
});

async function waiting(): Promise<number> {
  const { body } = await trial.admin("GET", "settings");
  return body.callbacks.reduce((sum: number, callback: { waiting: number }) => sum + callback.waiting, 0);
}

test("news is sent again until the answer is 200; 201 is not enough", async () => {
  const answers = [503, 201, 404, 200];
  trial.receiver.answer = () => answers.shift() ?? 200;
  const wamid = await trial.write(ana, { text: "Hi" });
  await until(async () => (await waiting()) === 0);
  const times = trial.receiver.posts.map(({ at }) => at);
  assert.equal(times.length, 4);
  assert.ok(trial.receiver.messages().every(({ id }) => id === wamid));
  const pauses = times.slice(1).map((at, index) => at - (times[index] ?? 0));
  assert.ok(
    pauses.every((pause, index) => pause >= 20 * 2 ** index - 2),
    `pauses were ${pauses.join()}`,
  );
});

test("what cannot be delivered for too long is given up", async () => {
  await trial.admin("PUT", "settings", { webhook: { retryBaseMs: 400, giveUpAfterMs: 800 } });
  trial.receiver.answer = () => 500;
  await trial.write(ana, { text: "Hi" });
  await until(async () => (await waiting()) === 0);
  assert.equal(trial.receiver.posts.length, 2);
});

test("alone it goes at once, under load in batches", async () => {
  await trial.admin("PUT", "settings", { limits: { throughput: false }, webhook: { gatherMs: 30 } });
  await Promise.all(
    Array.from({ length: 60 }, (_, index) => trial.send(`15550200${String(index).padStart(3, "0")}`, hello)),
  );
  await until(() => trial.receiver.statuses().length === 120);
  assert.ok(trial.receiver.posts.length < 60, `${trial.receiver.posts.length} posts`);
});

test("news waits until the address has passed the handshake", async () => {
  await using late = await startReceiver();
  late.verifyToken = undefined;
  await trial.admin("PUT", "settings", { webhook: { url: late.url, verifyToken: "mine" } });
  const wamid = await trial.write(ana, { text: "Hi" });
  assert.equal(await waiting(), 1);
  assert.equal(late.posts.length, 0);
  late.verifyToken = "mine";
  await until(() => late.messages().some(({ id }) => id === wamid));
  assert.equal(late.handshakes, 1);
});

test("doubled news comes twice, delayed news late, shuffled news in another order", async () => {
  await trial.admin("PUT", "faults", { kind: "webhook_double", match: { to: ana } });
  const doubled = await trial.write(ana, { text: "Hi" });
  await until(() => trial.receiver.messages().filter(({ id }) => id === doubled).length === 2);
  await trial.admin("PUT", "faults", { kind: "webhook_delay", ms: 60 });
  const before = performance.now();
  const delayed = await trial.write(ana, { text: "Hi" });
  await until(() => trial.receiver.messages().some(({ id }) => id === delayed));
  assert.ok(performance.now() - before >= 59);
  await trial.admin("PUT", "faults", { kind: "webhook_shuffle", ms: 1_000 });
  const sent: string[] = [];
  for (let count = 0; count < 20; count += 1) sent.push(await trial.write(ana, { text: String(count) }));
  const arrived = () => trial.receiver.messages().flatMap(({ id }) => (sent.includes(id) ? [id] : []));
  await until(() => arrived().length === 20);
  assert.notDeepEqual(arrived(), sent);
});

test("dropped news comes with its first retry, a storm many times, each in a POST of its own", async () => {
  await trial.admin("PUT", "faults", { kind: "webhook_drop_then_retry" });
  const before = performance.now();
  await trial.write(ana, { text: "Hi" });
  await until(() => trial.receiver.posts.length === 1);
  assert.ok(performance.now() - before >= 19);
  await trial.admin("PUT", "faults", { kind: "storm", copies: 25 });
  const stormy = await trial.write(ana, { text: "Hi" });
  await until(() => trial.receiver.posts.length === 26);
  assert.equal(trial.receiver.messages().filter(({ id }) => id === stormy).length, 25);
});

test("without a subscription nothing comes; an account's own address gets its messages, the app's its account news", async () => {
  await using own = await startReceiver();
  own.verifyToken = "own";
  const path = `/v24.0/${waba}/subscribed_apps`;
  assert.deepEqual((await trial.graph("DELETE", path)).body, { success: true });
  assert.deepEqual((await trial.graph("GET", path)).body, { data: [] });
  await trial.write(ana, { text: "unheard" });
  const wrong = await trial.graph("POST", path, { override_callback_uri: own.url, verify_token: "wrong" });
  assert.equal(wrong.body.error.code, 2200);
  await trial.graph("POST", path, { override_callback_uri: own.url, verify_token: "own" });
  assert.equal((await trial.graph("GET", path)).body.data[0].override_callback_uri, own.url);
  const heard = await trial.write(ana, { text: "heard" });
  await trial.admin("PUT", "templates/spring_sale", { status: "PAUSED" });
  await until(() => own.messages().length === 1 && trial.receiver.changes().length === 1);
  assert.equal(own.messages()[0]?.id, heard);
  assert.equal(trial.receiver.changes()[0]?.field, "message_template_status_update");
});

test("while the receiver fails, news is gathered: few POSTs, and all of it comes once it is back", async () => {
  await trial.admin("PUT", "settings", {
    limits: { throughput: false, pair: false },
    webhook: { retryBaseMs: 300, gatherMs: 1_000 },
  });
  let isDown = true;
  trial.receiver.answer = () => (isDown ? 503 : 200);
  const wamids: string[] = [];
  for (let count = 0; count < 40; count += 1) wamids.push(await trial.write(ana, { text: String(count) }));
  const whileDown = trial.receiver.posts.length;
  isDown = false;
  assert.ok(whileDown < 20, `${whileDown} posts`);
  await until(async () => (await waiting()) === 0);
  assert.deepEqual(new Set(trial.receiver.messages().map(({ id }) => id)), new Set(wamids));
});
