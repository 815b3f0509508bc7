// The way of a message: from Graph to the phone and back to the business, over real HTTP.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { until } from "#test/until.ts";
import { hello, orders, startTrial, text, type Trial } from "./test-trial.ts";

const ana = "15550100999";
let trial: Trial;

before(async () => {
  trial = await startTrial();
});
after(() => trial[Symbol.asyncDispose]());
beforeEach(() => trial.admin("POST", "reset"));

async function received(user: string): Promise<Record<string, unknown>[]> {
  return (await trial.admin("GET", `phones/${user}/messages`)).body["messages"];
}

test("an answer within the window goes all the way, and every webhook is signed", async () => {
  await trial.write(ana, { text: "Är ni öppna? ☕" });
  const { body } = await trial.graph("POST", `/v24.0/${orders}/messages`, {
    messaging_product: "whatsapp",
    to: "+1 (555) 010-0999",
    biz_opaque_callback_data: "order-42",
    ...text("Ja!"),
  });
  const [{ id: wamid }] = body["messages"];
  assert.deepEqual(body, {
    messaging_product: "whatsapp",
    contacts: [{ input: "+1 (555) 010-0999", wa_id: ana }],
    messages: [{ id: wamid }],
  });
  await trial.heard(wamid, "sent", "delivered", "read");
  const statuses = trial.receiver.statuses().filter(({ id }) => id === wamid);
  assert.ok(statuses.every((status) => status.biz_opaque_callback_data === "order-42" && status.recipient_id === ana));
  const price = { billable: false, pricing_model: "PMP", type: "free_customer_service", category: "service" };
  assert.deepEqual(Object.fromEntries(statuses.map(({ status, pricing }) => [status, pricing])), {
    sent: price,
    delivered: price,
    read: undefined,
  });
  assert.match(
    trial.receiver
      .messages()
      .map((message) => JSON.stringify(message["text"]))
      .join(),
    /Är ni öppna\? ☕/,
  );
  for (const { raw, signature } of trial.receiver.posts) {
    assert.equal(signature, `sha256=${createHmac("sha256", "simulator-app-secret").update(raw).digest("hex")}`);
    assert.ok(raw.every((byte) => byte < 128));
  }
});

test("a phone logs what arrived, in that order, with its times", async () => {
  const first = await trial.send(ana, hello);
  await trial.heard(first, "sent", "delivered", "read");
  const second = await trial.send(ana, { ...hello, biz_opaque_callback_data: "b" });
  await trial.heard(second, "sent", "delivered", "read");
  const log = await received(ana);
  assert.deepEqual(
    log.map(({ wamid }) => wamid),
    [first, second],
  );
  const [{ acceptedAt, sentAt, deliveredAt, readAt, ...rest } = {}, { biz_opaque_callback_data } = {}] = log;
  assert.ok(
    Number(acceptedAt) <= Number(sentAt) &&
      Number(sentAt) <= Number(deliveredAt) &&
      Number(deliveredAt) < Number(readAt),
  );
  assert.equal(biz_opaque_callback_data, "b");
  assert.equal(rest["from"], "15550100001");
  assert.match(String(rest["text"]), /^Hello World\nWelcome! .*\nFjord Coffee$/);
  assert.deepEqual(await received("15550100998"), []);
});

test("free-form outside the window is accepted, then fails with 131047 and never arrives", async () => {
  const wamid = await trial.send(ana, text("Hi"));
  await trial.heard(wamid, "failed");
  const [failed] = trial.receiver.statuses().filter(({ id }) => id === wamid);
  assert.equal(failed?.errors?.[0]?.code, 131047);
  assert.equal(failed?.pricing, undefined);
  assert.deepEqual(await received(ana), []);
});

test("a user writes: the business hears it, and the window is open for that number alone", async () => {
  const wamid = await trial.write(ana, { text: "Hi" });
  await until(() => trial.receiver.messages().some(({ id }) => id === wamid));
  const message = trial.receiver.messages().find(({ id }) => id === wamid);
  assert.equal(message?.from, ana);
  assert.deepEqual(message?.["text"], { body: "Hi" });
  const { body } = await trial.admin("GET", `phones/${ana}`);
  assert.equal(body["windows"].length, 1);
  assert.equal(body["windows"][0].closesAt - body["windows"][0].lastInboundAt, 24 * 3_600_000);
  const elsewhere = await trial.send(ana, text("Hi"), "106540352242923");
  await trial.heard(elsewhere, "failed");
});

test("a press of a template's button answers that template", async () => {
  const template = await trial.send(ana, hello);
  await trial.heard(template, "sent", "delivered", "read");
  const wamid = await trial.write(ana, { type: "button", text: "On my way" });
  await until(() => trial.receiver.messages().some(({ id }) => id === wamid));
  const message = trial.receiver.messages().find(({ id }) => id === wamid);
  assert.deepEqual(message?.["button"], { text: "On my way", payload: "On my way" });
  assert.deepEqual(message?.["context"], { from: "15550100001", id: template });
});

test("any other type stands under its own key, and must bring its content", async () => {
  const reply = { type: "button_reply", button_reply: { id: "1", title: "Yes" } };
  const wamid = await trial.write(ana, { type: "interactive", interactive: reply });
  await until(() => trial.receiver.messages().some(({ id }) => id === wamid));
  assert.deepEqual(trial.receiver.messages().find(({ id }) => id === wamid)?.["interactive"], reply);
  const refused = await trial.admin("POST", `phones/${ana}/messages`, { to: orders, type: "location" });
  assert.equal(refused.status, 400);
  assert.equal((await trial.admin("POST", `phones/${ana}/messages`, { to: "1", text: "Hi" })).status, 404);
});

test("a mark as read reaches that message and all earlier ones of the chat", async () => {
  const first = await trial.write(ana, { text: "1" });
  const second = await trial.write(ana, { text: "2" });
  const third = await trial.write(ana, { text: "3" });
  const mark = {
    messaging_product: "whatsapp",
    status: "read",
    message_id: second,
    typing_indicator: { type: "text" },
  };
  const { body } = await trial.graph("POST", `/v24.0/${orders}/messages`, mark);
  assert.deepEqual(body, { success: true });
  const { body: phone } = await trial.admin("GET", `phones/${ana}`);
  const marked = phone["wrote"].filter(({ markedReadAt }: { markedReadAt: number | null }) => markedReadAt !== null);
  assert.deepEqual(
    marked.map(({ wamid }: { wamid: string }) => wamid),
    [first, second],
  );
  const own = await trial.send(ana, text("4"));
  for (const message_id of [own, "wamid.unknown"]) {
    const answer = await trial.graph("POST", `/v24.0/${orders}/messages`, { ...mark, message_id });
    assert.equal(answer.body["error"].code, 131009);
  }
  assert.equal(
    (await trial.graph("POST", `/v24.0/106540352242923/messages`, { ...mark, message_id: third })).status,
    400,
  );
});

test("a phone can be offline, answer by itself, keep its receipts, or not be on WhatsApp", async () => {
  await trial.admin("PUT", `phones/${ana}`, {
    offline: true,
    readAfterMs: null,
    reply: { afterMs: 1, text: "Thanks" },
  });
  const wamid = await trial.send(ana, hello);
  await trial.heard(wamid, "sent");
  await until(async () => (await trial.admin("GET", `phones/${ana}`)).body["waiting"] === 1);
  await trial.admin("PUT", `phones/${ana}`, { offline: false });
  await trial.heard(wamid, "sent", "delivered");
  await until(() =>
    trial.receiver.messages().some((message) => JSON.stringify(message["text"]) === '{"body":"Thanks"}'),
  );
  await trial.admin("PUT", `phones/15550100998`, { notOnWhatsApp: true });
  const lost = await trial.send("15550100998", hello);
  await trial.heard(lost, "failed");
  assert.equal(trial.receiver.statuses().find(({ id }) => id === lost)?.errors?.[0]?.code, 131026);
});

test("read may come without delivered, and then has the price", async () => {
  await trial.admin("PUT", "settings", { skipDelivered: 1 });
  const wamid = await trial.send(ana, hello);
  await trial.heard(wamid, "sent", "read");
  assert.ok(
    trial.receiver
      .statuses()
      .filter(({ id }) => id === wamid)
      .every(({ pricing }) => pricing?.type === "regular"),
  );
});

test("the operational port answers health and metrics", async () => {
  for (const path of ["healthz", "readyz"])
    assert.equal((await fetch(`${trial.simulator.httpUrl}/${path}`)).status, 200);
  const metrics = await (await fetch(`${trial.simulator.httpUrl}/metrics`)).text();
  assert.match(metrics, /simulator_webhook_changes_total\{service="simulator"\} \d+/);
});
