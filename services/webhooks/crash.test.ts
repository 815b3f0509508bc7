// Nothing is lost when webhooks ends in the middle, gently or not, and little is repeated.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { after, afterEach, before, test } from "node:test";
import { until } from "#test/until.ts";
import { readConfig } from "./config.ts";
import { startWebhooks } from "./start.ts";
import { applySubscription, listSubscriptions, removeSubscription } from "./subscription-store.ts";
import { createWorld, type Message, newMessage, type World } from "./test-service.ts";

let world: World;

before(async () => {
  world = await createWorld();
});

after(() => world[Symbol.asyncDispose]());

/** Straight into the table: a process that reads no news would keep the next one from reading for some seconds. */
async function subscribe(name: string): Promise<void> {
  const url = world.receiver.url(`/${name}`);
  const filter = { events: [], phoneNumberIds: [], wabaIds: [] };
  const rest = {
    dialect: "cloud" as const,
    secrets: [],
    previousSecretsEndAt: undefined,
    keepTryingSeconds: 3_600,
    timeoutMs: 60_000,
    concurrency: 4,
  };
  await applySubscription(world.pool, { name, url, ...filter, ...rest }, new Date());
}

/** The subscriptions of earlier tests get nothing more, and what their services left unread is not for later ones. */
afterEach(async () => {
  await world.forgetNews();
  for (const { name } of await listSubscriptions(world.pool)) await removeSubscription(world.pool, name, new Date());
});

async function countStates(name: string): Promise<Record<string, number>> {
  const { rows } = await world.pool.query<{ state: string; count: number }>(
    `select state, count(*) from webhooks.deliveries join webhooks.subscriptions using (subscription_id)
     where name = $1 and removed_at is null group by state`,
    [name],
  );
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
}

async function publish(messages: readonly Message[], ...verbs: string[]): Promise<void> {
  for (const message of messages) for (const verb of verbs) await world.status(message, verb);
}

/** How often each label came, those of the messages given. */
function timesOf(name: string): Map<string, number> {
  const times = new Map<string, number>();
  for (const { label } of world.receiver.on(`/${name}`)) times.set(label, (times.get(label) ?? 0) + 1);
  return times;
}

async function startProcess(): Promise<ChildProcess> {
  const main = new URL("./main.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [main], { env: world.env, stdio: "ignore" });
  await once(child, "spawn");
  return child;
}

test("a process that ends gently finishes what is under way and leaves the rest free at once", async () => {
  await subscribe("gentle");
  world.receiver.answer("/gentle", () => "hang");
  const messages = Array.from({ length: 10 }, newMessage);
  const first = await world.start();
  await publish(messages, "sent");
  await until(() => world.receiver.on("/gentle").length === 4);
  await until(async () => (await countStates("gentle"))["waiting"] === 10);
  const ended = first[Symbol.asyncDispose]();
  world.receiver.release(200);
  await ended;
  const { rows } = await world.pool.query("select 1 from webhooks.deliveries where claimed_until is not null");
  assert.equal(rows.length, 0);
  assert.deepEqual(await countStates("gentle"), { delivered: 4, waiting: 6 });
  world.receiver.answer("/gentle", () => 200);
  await using _service = await world.start();
  await until(async () => (await countStates("gentle"))["delivered"] === 10);
});

test("what hangs on when a process ends is ended after its time, and free for the next process", async () => {
  await subscribe("hanging");
  world.receiver.answer("/hanging", () => "hang");
  const service = await startWebhooks({ config: readConfig({ ...world.env, DRAIN_MS: "100" }), now: () => new Date() });
  await publish(Array.from({ length: 10 }, newMessage), "sent");
  await until(() => world.receiver.on("/hanging").length === 4);
  const askedAt = performance.now();
  await service[Symbol.asyncDispose]();
  assert.ok(performance.now() - askedAt < 3_000);
  const { rows } = await world.pool.query("select 1 from webhooks.deliveries where claimed_until is not null");
  assert.equal(rows.length, 0);
  world.receiver.release(200);
});

test("outcomes are saved after Postgres cut every connection, and nothing is sent twice", async () => {
  await subscribe("cut");
  world.receiver.answer("/cut", () => "hang");
  const messages = Array.from({ length: 8 }, newMessage);
  await using _service = await world.start();
  await publish(messages, "sent");
  await until(() => world.receiver.on("/cut").length === 4);
  await world.pool.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'webhooks'",
  );
  world.receiver.answer("/cut", () => 200);
  world.receiver.release(200);
  await until(async () => (await countStates("cut"))["delivered"] === 8, { timeoutMs: 30_000 });
  assert.ok([...timesOf("cut").values()].every((times) => times === 1));
});

test("two copies share the work: each delivery is sent by one of them", async () => {
  await subscribe("shared");
  world.receiver.answer("/shared", () => "hang");
  await using _first = await world.start();
  await using _second = await world.start();
  const messages = Array.from({ length: 40 }, newMessage);
  await publish(messages, "sent", "delivered");
  await until(() => world.receiver.on("/shared").length >= 4);
  world.receiver.answer("/shared", () => 200);
  world.receiver.release(200);
  await until(async () => (await countStates("shared"))["delivered"] === 80, { timeoutMs: 30_000 });
  assert.equal(timesOf("shared").size, 80);
  assert.ok([...timesOf("shared").values()].every((times) => times === 1));
});

test("after kill -9 the next process delivers the rest, and repeats what was under way only", async (t) => {
  await subscribe("killed");
  let answered = 0;
  world.receiver.answer("/killed", () => (answered++ < 10 ? 200 : "hang"));
  const messages = Array.from({ length: 20 }, newMessage);
  const child = await startProcess();
  t.after(() => child.kill("SIGKILL"));
  await publish(messages, "sent", "delivered");
  await until(
    async () => world.receiver.on("/killed").length === 14 && (await countStates("killed"))["delivered"] === 10,
  );
  await until(async () => (await countStates("killed"))["waiting"] === 30);
  const hanging = world.receiver.on("/killed").slice(10);
  child.kill("SIGKILL");
  await once(child, "exit");
  // The time that its claims last passes.
  await world.pool.query("update webhooks.deliveries set claimed_until = clock_timestamp() where state = 'waiting'");

  world.receiver.answer("/killed", () => 200);
  await using _service = await world.start();
  await until(async () => (await countStates("killed"))["delivered"] === 40, { timeoutMs: 30_000 });
  const repeated = new Set(hanging.map(({ label }) => label));
  for (const [label, times] of timesOf("killed")) assert.equal(times, repeated.has(label) ? 2 : 1, label);
  for (const { label, headers } of hanging) {
    const second = world.receiver.on("/killed").findLast((received) => received.label === label);
    assert.equal(second?.headers["webhook-id"], headers["webhook-id"]);
    assert.equal(second?.headers["heliograph-attempt"], "2");
  }
  for (const { wamid } of messages) {
    const order = world.receiver.on("/killed").filter(({ label }) => label.startsWith(wamid));
    assert.deepEqual([...new Set(order.map(({ label }) => label))], [`${wamid} sent`, `${wamid} delivered`]);
  }
});
