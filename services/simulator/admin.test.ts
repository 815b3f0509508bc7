// The hand that holds the world: its changes of numbers and templates, what judges ask, export and reset.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { until } from "#test/until.ts";
import { care, hello, orders, type ReceivedChange, startTrial, type Trial, waba } from "./test-trial.ts";

const ana = "15550100999";
let trial: Trial;

before(async () => {
  trial = await startTrial();
});
after(() => trial[Symbol.asyncDispose]());
beforeEach(async () => {
  await trial.admin("POST", "reset");
  trial.receiver.posts.length = 0;
});

/** The account news of these fields, once all have come. */
async function news(...fields: string[]): Promise<ReceivedChange[]> {
  const heard = () => trial.receiver.changes().filter(({ field }) => field !== "messages");
  await until(
    () =>
      heard()
        .map(({ field }) => field)
        .toSorted()
        .join() === fields.toSorted().join(),
    {
      message: `news of ${fields.join()}`,
    },
  );
  return fields
    .map((field) => heard().find((change) => change.field === field))
    .filter((change) => change !== undefined);
}

test("a new tier is the business's: its numbers show it, and the account hears of it", async () => {
  await trial.admin("PUT", `numbers/${orders}`, { tier: "TIER_100K" });
  const [capability, quality] = await news("business_capability_update", "phone_number_quality_update");
  assert.equal(capability?.entryId, waba);
  assert.equal(typeof capability?.time, "number");
  assert.equal(capability?.value["max_daily_conversations_per_business"], 100_000);
  assert.equal(quality?.value["event"], "UPGRADE");
  const { body } = await trial.graph("GET", `/v24.0/${care}?fields=whatsapp_business_manager_messaging_limit`);
  assert.equal(body.whatsapp_business_manager_messaging_limit, "TIER_100K");
});

test("a red rating and a restriction are told, and a restricted number may not start a conversation", async () => {
  await trial.admin("PUT", "numbers/15550100001", { quality: "RED", status: "RESTRICTED" });
  const [quality, account] = await news("phone_number_quality_update", "account_update");
  assert.equal(quality?.value["event"], "FLAGGED");
  assert.equal(account?.value["event"], "ACCOUNT_RESTRICTION");
  const wamid = await trial.send(ana, hello);
  await trial.heard(wamid, "failed");
  assert.equal(trial.receiver.statuses().at(-1)?.errors?.[0]?.code, 131048);
  const { body } = await trial.graph("GET", `/v24.0/${orders}?fields=status,quality_rating`);
  assert.deepEqual(body, { status: "RESTRICTED", quality_rating: "RED", id: orders });
});

test("a template's new state, quality and category are told, and hold", async () => {
  const path = "templates/order_update?language=en-US";
  await trial.admin("PUT", path, { status: "PAUSED", quality: "RED", category: "MARKETING" });
  const fields = ["message_template_status_update", "message_template_quality_update", "template_category_update"];
  const [status] = await news(...fields);
  assert.equal(status?.value["event"], "PAUSED");
  const raw = trial.receiver.posts.map((post) => post.raw.toString()).join();
  assert.match(raw, /"message_template_id":90071992547409937,/);
  const { body } = await trial.graph("GET", "/v24.0/90071992547409937?fields=status,category");
  assert.deepEqual(body, { status: "PAUSED", category: "MARKETING", id: "90071992547409937" });
  await trial.admin("PUT", path, { status: "APPROVED" });
  assert.equal((await trial.admin("PUT", "templates/order_update", { status: "PAUSED" })).status, 400);
  assert.equal((await trial.admin("PUT", "templates/no_such", { status: "PAUSED" })).status, 404);
});

test("messages are counted, and an id accepted twice is found whatever its attempt", async () => {
  const id = "0198c0de-0000-7000-8000-000000000001";
  const first = await trial.send(ana, { ...hello, biz_opaque_callback_data: `${id}.1` });
  const second = await trial.send("15550100998", { ...hello, biz_opaque_callback_data: `${id}.2` }, care);
  const third = await trial.send(ana, { ...hello, biz_opaque_callback_data: "0198c0de-0000-7000-8000-000000000002.1" });
  for (const wamid of [first, second, third]) await trial.heard(wamid, "sent", "delivered", "read");
  await trial.write(ana, { text: "Hi" });
  const { body } = await trial.admin("GET", "messages?limit=2");
  assert.deepEqual(body.counts, { accepted: 3, sent: 3, delivered: 3, read: 3, failed: 0, underway: 0, inbound: 1 });
  assert.equal(body.byNumber[care].read, 1);
  assert.deepEqual(
    body.duplicates.map((duplicate: { messageId: string; messages: { wamid: string }[] }) => [
      duplicate.messageId,
      duplicate.messages.map(({ wamid }) => wamid),
    ]),
    [[id, [first, second]]],
  );
  assert.equal(body.messages.length, 2);
  const rest = await trial.admin("GET", `messages?limit=2&after=${body.next}`);
  assert.deepEqual([rest.body.messages.length, rest.body.next], [1, null]);
  const { body: phones } = await trial.admin("GET", "phones");
  assert.deepEqual(
    phones.phones.map(({ user, received, wrote }: { user: string; received: number; wrote: number }) => [
      user,
      received,
      wrote,
    ]),
    [
      [ana, 2, 1],
      ["15550100998", 1, 0],
    ],
  );
});

test("the whole state can be exported, without secrets", async () => {
  await trial.send(ana, hello);
  await trial.write(ana, { text: "Hi" });
  const { body } = await trial.admin("GET", "state");
  assert.deepEqual(
    body.messages.map(({ inbound }: { inbound: boolean }) => inbound),
    [false, true],
  );
  assert.equal(body.phones[0].user, ana);
  assert.equal(body.businesses[0].accounts[0].numbers[0].chats[0].user, ana);
  assert.equal(body.businesses[0].accounts[0].templates.length, 9);
  assert.doesNotMatch(JSON.stringify(body), /simulator-(access|app|verify)/);
});

test("a reset forgets messages, faults and changes, but never gives an id twice", async () => {
  const before = await trial.send(ana, hello);
  await trial.admin("PUT", "settings", { deliverAfterMs: 60_000 });
  await trial.admin("PUT", "faults", { kind: "hang" });
  await trial.admin("PUT", "templates/hello_world", { status: "DISABLED" });
  await trial.admin("POST", "reset");
  assert.equal((await trial.admin("GET", "messages")).body.counts.accepted, 0);
  const wamid = await trial.send(ana, hello);
  assert.notEqual(wamid, before);
  await trial.heard(wamid, "sent", "delivered", "read");
});

const senseless: [method: string, path: string, body: unknown, status: number][] = [
  ["PUT", "settings", { deliverAfter: 1 }, 400],
  ["PUT", "settings", { limits: { throughput: true } }, 400],
  ["PUT", `numbers/${orders}`, { quality: "PURPLE" }, 400],
  ["PUT", "numbers/1", { quality: "RED" }, 404],
  ["PUT", "phones/ana", { offline: true }, 404],
  ["GET", `phones/${ana}`, undefined, 404],
  ["POST", "settings", {}, 404],
  ["GET", "moon", undefined, 404],
];
for (const [method, path, body, status] of senseless) {
  test(`${method} ${path} with ${JSON.stringify(body)} answers ${status}`, async () => {
    const answer = await trial.admin(method, path, body);
    assert.equal(answer.status, status);
    assert.equal(typeof answer.body.error, "string");
  });
}

test("a refused body is told in one line, with the field and what it takes", async () => {
  const { body } = await trial.admin("POST", "faults", { kind: "nope" });
  assert.match(body.error, /^kind must be one of status, cut_before, .*, storm$/);
  const { body: second } = await trial.admin("POST", "faults", [{ kind: "hang" }, { kind: "slow" }]);
  assert.match(second.error, /^\[1\]\.ms Invalid input/);
});
