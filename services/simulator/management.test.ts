// What a business manages over Graph: templates with their review, registration, apps, the token, and the account's health.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { until } from "#test/until.ts";
import { type Answer, hello, orders, startTrial, text, type Trial, waba } from "./test-trial.ts";

const ana = "15550100999";
let trial: Trial;
let now = new Date("2026-11-02T12:00:00Z").getTime();

before(async () => {
  trial = await startTrial({ now: () => new Date(now) });
});
after(() => trial[Symbol.asyncDispose]());
beforeEach(async () => {
  await trial.admin("POST", "reset");
  await trial.admin("PUT", "settings", { reviewAfterMs: 60_000 });
  trial.receiver.posts.length = 0;
});

function pass(ms: number): void {
  now += ms;
  trial.simulator.runDue();
}

const dayMs = 86_400_000;
const edge = `/v24.0/${waba}/message_templates`;
const body = (words: string) => [{ type: "BODY", text: words }];
const notice = { name: "notice", language: "en_US", category: "UTILITY", components: body("We close early today.") };

async function stateOf(id: string): Promise<Record<string, unknown>> {
  const fields = "status,category,rejected_reason,components,message_send_ttl_seconds";
  return (await trial.graph("GET", `/v24.0/${id}?fields=${fields}`)).body;
}

async function heard(field: string, wanted: string[]): Promise<void> {
  const events = () =>
    trial.receiver
      .changes()
      .filter((change) => change.field === field)
      .map(({ value }) => `${String(value["event"])} ${String(value["reason"])}`);
  await until(() => events().toSorted().join() === wanted.toSorted().join(), { message: `${field}: ${wanted.join()}` });
}

function subcode({ status, body: { error } }: Answer): [number, number, number | undefined] {
  return [status, error?.code, error?.error_subcode];
}

test("a template is handed in, approved after its review, told, and can be sent", async () => {
  const { status, body: created } = await trial.graph("POST", edge, notice);
  assert.deepEqual([status, created.status, created.category], [200, "PENDING", "UTILITY"]);
  const send = { type: "template", template: { name: "notice", language: { code: "en_US" } } };
  const message = { messaging_product: "whatsapp", to: ana, ...send };
  const early = await trial.graph("POST", `/v24.0/${orders}/messages`, message);
  assert.equal(early.body.error.code, 132001);
  pass(59_000);
  assert.equal((await stateOf(created.id))["status"], "PENDING");
  pass(1_000);
  assert.equal((await stateOf(created.id))["status"], "APPROVED");
  await heard("message_template_status_update", ["APPROVED NONE"]);
  await trial.send(ana, send);
});

test("a marked text is rejected with its reason, edited as often as one likes, and approved", async () => {
  const { body: created } = await trial.graph("POST", edge, { ...notice, components: body("Win now [[reject:SCAM]]") });
  pass(60_000);
  assert.deepEqual((await stateOf(created.id))["rejected_reason"], "SCAM");
  for (const words of ["One more [[reject:SCAM]]", "We close early."]) {
    assert.deepEqual((await trial.graph("POST", `/v24.0/${created.id}`, { components: body(words) })).body, {
      success: true,
    });
    pass(60_000);
  }
  const state = await stateOf(created.id);
  assert.deepEqual([state["status"], state["components"]], ["APPROVED", body("We close early.")]);
  const events = ["REJECTED SCAM", "PENDING NONE", "REJECTED SCAM", "PENDING NONE", "APPROVED NONE"];
  await heard("message_template_status_update", events);
});

test("the time to live has the bounds of the category, changes without a review, and goes with the category", async () => {
  const marked = { ...notice, components: body("Half price [[marketing]] today.") };
  const refused = await trial.graph("POST", edge, { ...marked, message_send_ttl_seconds: 29 });
  assert.deepEqual([refused.status, refused.body.error.code], [400, 100]);
  const { body: created } = await trial.graph("POST", edge, { ...marked, message_send_ttl_seconds: 3_600 });
  const ttl = async (): Promise<unknown> => (await stateOf(created.id))["message_send_ttl_seconds"];
  assert.equal(await ttl(), 3_600);
  const edited = await trial.graph("POST", `/v24.0/${created.id}`, { message_send_ttl_seconds: -1 });
  assert.deepEqual([edited.status, await ttl()], [200, -1]);
  pass(60_000);
  assert.deepEqual([(await stateOf(created.id))["category"], await ttl()], ["MARKETING", undefined]);
});

test("an approved template is edited once a day, never its category; a hand's decision comes before the review", async () => {
  const { body: created } = await trial.graph("POST", edge, notice);
  await trial.admin("PUT", "templates/notice", { status: "APPROVED" });
  const edit = (change: object): Promise<Answer> => trial.graph("POST", `/v24.0/${created.id}`, change);
  assert.equal((await edit({ category: "MARKETING" })).status, 400);
  assert.equal((await edit({ components: body("Shorter.") })).status, 200);
  assert.equal((await edit({ components: body("Shorter still.") })).status, 400, "it is in review");
  pass(60_000);
  const { error } = (await edit({ components: body("Shorter still.") })).body;
  assert.match(error.error_user_msg, /once in 24 hours/);
  pass(dayMs);
  assert.equal((await edit({ components: body("Shorter still.") })).status, 200);
});

test("what cannot be created is refused with Meta's codes", async () => {
  const create = (change: object): Promise<Answer> => trial.graph("POST", edge, { ...notice, ...change });
  assert.deepEqual(subcode(await create({ name: "Not Good" })), [400, 100, undefined]);
  assert.deepEqual(subcode(await create({ category: "OTP" })), [400, 100, undefined]);
  assert.deepEqual(subcode(await create({ components: body("{{1}} is here") })), [400, 100, 2388299]);
  assert.deepEqual(subcode(await create({ name: "order_update" })), [400, 100, 2388024]);
  assert.equal((await create({ name: "order_update", language: "fr" })).status, 200);
});

test("a deleted template is gone, its name stays blocked for 30 days, and each language goes by itself or all together", async () => {
  assert.equal((await trial.graph("DELETE", `${edge}?name=order_update&hsm_id=90071992547409938`)).status, 200);
  const left = (await trial.graph("GET", `${edge}?name=order_update`)).body.data;
  assert.deepEqual(
    left.map(({ language }: { language: string }) => language),
    ["en_US"],
  );
  assert.equal((await trial.graph("DELETE", `${edge}?name=order_update`)).status, 200);
  await heard("message_template_status_update", ["DELETED NONE", "DELETED NONE"]);
  const again = { ...notice, name: "order_update" };
  assert.deepEqual(subcode(await trial.graph("POST", edge, again)), [400, 100, 2388023]);
  pass(30 * dayMs);
  assert.equal((await trial.graph("POST", edge, again)).status, 200);
  assert.equal((await trial.graph("DELETE", `${edge}?name=no_such`)).status, 400);
});

test("a paused template is unpaused by hand", async () => {
  await trial.admin("PUT", "templates/order_update?language=en_US", { status: "PAUSED" });
  const unpause = (): Promise<Answer> => trial.graph("POST", "/v24.0/90071992547409937/unpause");
  assert.equal((await unpause()).status, 200);
  assert.equal((await unpause()).status, 400);
});

test("a number is registered with its PIN; a wrong one is refused, and a hand may have taken the registration away", async () => {
  await trial.admin("PUT", `numbers/${orders}`, { registered: false, pin: "123456" });
  const register = (pin: string): Promise<Answer> =>
    trial.graph("POST", `/v24.0/${orders}/register`, { messaging_product: "whatsapp", pin });
  const message = { messaging_product: "whatsapp", to: ana, ...text("hi") };
  assert.equal((await trial.graph("POST", `/v24.0/${orders}/messages`, message)).body.error.code, 133010);
  assert.equal((await register("12345")).body.error.code, 100);
  assert.equal((await register("654321")).body.error.code, 133005);
  const { body: before } = await trial.graph("GET", `/v24.0/${orders}?fields=status,is_pin_enabled,platform_type`);
  assert.deepEqual(
    [before.status, before.is_pin_enabled, before.platform_type],
    ["DISCONNECTED", true, "NOT_APPLICABLE"],
  );
  assert.equal((await register("123456")).status, 200);
  await trial.send(ana, hello);
  assert.equal((await trial.graph("POST", `/v24.0/${orders}/deregister`)).status, 200);
  assert.equal((await trial.graph("POST", `/v24.0/${orders}/deregister`)).body.error.code, 133010);
  await trial.admin("PUT", `numbers/${orders}`, { codeVerificationStatus: "NOT_VERIFIED" });
  assert.equal((await register("123456")).body.error.code, 133006);
  const { body: state } = await trial.graph("GET", `/v24.0/${orders}?fields=status`);
  assert.equal(state.status, "PENDING");
});

test("the PIN is replaced without the old one, which is told; no export shows it", async () => {
  assert.equal((await trial.graph("POST", `/v24.0/${orders}`, { pin: "246810" })).status, 200);
  await heard("security", ["PIN_CHANGED undefined"]);
  const shown = [await trial.admin("GET", "state"), await trial.admin("GET", "numbers")];
  assert.doesNotMatch(JSON.stringify(shown), /246810/);
  assert.equal((await trial.graph("POST", `/v24.0/${orders}`, {})).body.error.code, 100);
});

test("nothing is delivered to an app that is not subscribed", async () => {
  const path = `/v24.0/${waba}/subscribed_apps`;
  await trial.graph("DELETE", path);
  assert.deepEqual((await trial.graph("GET", path)).body.data, []);
  await trial.admin("PUT", "templates/order_update?language=en_US", { status: "PAUSED" });
  await trial.graph("POST", path);
  await trial.admin("PUT", "templates/order_update?language=en_US", { status: "APPROVED" });
  await heard("message_template_status_update", ["APPROVED NONE"]);
});

test("the account shows its reviews, and what keeps it from sending", async () => {
  const fields = "account_review_status,business_verification_status,health_status";
  const read = async () => (await trial.graph("GET", `/v24.0/${waba}?fields=${fields}`)).body;
  assert.equal((await read()).health_status.can_send_message, "AVAILABLE");
  const change = { payment: "missing", verificationStatus: "not_verified", reviewStatus: "PENDING" };
  assert.equal((await trial.admin("PUT", `accounts/${waba}`, change)).status, 200);
  const { health_status: health, ...rest } = await read();
  assert.deepEqual(rest, { account_review_status: "PENDING", business_verification_status: "not_verified", id: waba });
  assert.equal(health.can_send_message, "BLOCKED");
  const codes = health.entities.flatMap(({ errors = [] }: { errors?: { error_code: number }[] }) =>
    errors.map(({ error_code: code }) => code),
  );
  assert.deepEqual(codes, [141006, 141010]);
  await until(() => trial.receiver.changes().some(({ field }) => field === "account_review_update"));
  const { body: number } = await trial.graph("GET", `/v24.0/${orders}?fields=health_status`);
  assert.equal(number.health_status.entities[0].entity_type, "PHONE_NUMBER");
});

test("a token tells what it may and until when; one that has expired is refused", async () => {
  const look = (token: string): Promise<Answer> => trial.graph("GET", `/v24.0/debug_token?input_token=${token}`);
  const { data } = (await look("simulator-access-token")).body;
  assert.deepEqual([data.is_valid, data.expires_at, data.scopes.length], [true, 0, 2]);
  assert.equal((await look("nonsense")).body.data.is_valid, false);
  await trial.admin("PUT", "settings", { tokenExpiresAt: now + 3_600_000 });
  const soon = (await look("simulator-access-token")).body.data;
  assert.equal(soon.expires_at, Math.floor(now / 1_000) + 3_600);
  now += 3_600_000;
  assert.deepEqual(subcode(await look("simulator-access-token")), [401, 190, 463]);
});
