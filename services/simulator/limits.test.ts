// Who may send, how much, to whom: the refusals that Graph gives at once. The clock stands still unless a test moves it.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { care, hello, orders, startTrial, text, type Trial } from "./test-trial.ts";

let clock = Date.UTC(2026, 10, 22);
let trial: Trial;

before(async () => {
  trial = await startTrial({ now: () => new Date(clock) });
});
after(() => trial[Symbol.asyncDispose]());
beforeEach(() => trial.admin("POST", "reset"));

async function codeOf(message: object, from = orders): Promise<number> {
  const { body } = await trial.graph("POST", `/v24.0/${from}/messages`, { messaging_product: "whatsapp", ...message });
  return body.error?.code ?? 0;
}

async function codesOf(messages: object[], from = orders): Promise<number[]> {
  const codes: number[] = [];
  for (const message of messages) codes.push(await codeOf(message, from));
  return codes;
}

const user = (index: number): string => `15550200${String(index).padStart(3, "0")}`;
const toEach = (count: number): object[] =>
  Array.from({ length: count }, (_, index) => ({ to: user(index), ...hello }));

test("a number sends 80 in a second, the next one gets 130429, and a second later it goes on", async () => {
  const codes = await codesOf(toEach(81));
  assert.deepEqual(codes, [...Array.from({ length: 80 }, () => 0), 130429]);
  assert.equal(await codeOf({ to: user(1), ...hello }, care), 0);
  clock += 1_000;
  assert.deepEqual(await codesOf(toEach(2)), [0, 0]);
});

test("45 to one user at once, then 131056 until 6 seconds have passed; others are not held up", async () => {
  const many = Array.from({ length: 46 }, () => ({ to: user(1), ...hello }));
  const codes = await codesOf(many);
  assert.deepEqual(codes, [...Array.from({ length: 45 }, () => 0), 131056]);
  assert.equal(await codeOf({ to: user(2), ...hello }), 0);
  clock += 6_000;
  assert.deepEqual(await codesOf(many.slice(0, 2)), [0, 131056]);
});

test("limits can be opened, set, and given the status 429", async () => {
  await trial.admin("PUT", "settings", { limits: { throughput: false, pair: false } });
  const codes = await codesOf([...toEach(100), ...Array.from({ length: 50 }, () => ({ to: user(1), ...hello }))]);
  assert.ok(codes.every((code) => code === 0));
  await trial.admin("PUT", "settings", { limits: { throughput: 2, httpStatus: 429 } });
  clock += 1_000;
  assert.deepEqual(await codesOf(toEach(3)), [0, 0, 130429]);
  const answer = await trial.graph("POST", `/${orders}/messages`, {
    messaging_product: "whatsapp",
    to: user(9),
    ...hello,
  });
  assert.equal(answer.status, 429);
});

test("what users write counts against the throughput, too", async () => {
  await trial.admin("PUT", "settings", { limits: { throughput: 2 } });
  await trial.write(user(1), { text: "Hi" });
  assert.deepEqual(await codesOf(toEach(2)), [0, 130429]);
});

test("the window closes 24 hours after the user's last message", async () => {
  await trial.admin("PUT", "settings", { deliverAfterMs: 0 });
  await trial.write(user(1), { text: "Hi" });
  clock += 24 * 3_600_000 - 1;
  const inside = await trial.send(user(1), text("Hi"));
  clock += 1;
  const outside = await trial.send(user(1), text("Hi"));
  await trial.heard(inside, "sent", "delivered");
  await trial.heard(outside, "failed");
});

const malformed: [sentence: string, body: unknown, status: number, code: number][] = [
  ["a body that is not JSON", "{", 400, 100],
  ["no product", { to: user(1), ...hello }, 400, 131008],
  ["no recipient", { messaging_product: "whatsapp", ...hello }, 400, 131008],
  ["a recipient that is no phone number", { messaging_product: "whatsapp", to: "12", ...hello }, 400, 131009],
  ["a text without a body", { messaging_product: "whatsapp", to: user(1), type: "text" }, 400, 131008],
  ["an unknown type", { messaging_product: "whatsapp", to: user(1), type: "smell" }, 400, 131051],
  ["the sender itself", { messaging_product: "whatsapp", to: "+15550100001", ...hello }, 400, 131021],
];
for (const [sentence, body, status, code] of malformed) {
  test(`refused at once: ${sentence}`, async () => {
    const answer = await trial.graph("POST", `/v24.0/${orders}/messages`, body);
    assert.deepEqual([answer.status, answer.body.error.code], [status, code]);
    assert.match(answer.body.error.fbtrace_id, /^A\w+$/);
    assert.equal(typeof answer.body.error.error_data.details, "string");
  });
}

function template(name: string, parameters: string[] = [], code = "en_US"): object {
  const body = { type: "body", parameters: parameters.map((value) => ({ type: "text", text: value })) };
  return { to: user(1), type: "template", template: { name, language: { code }, components: [body] } };
}

const templates: [sentence: string, message: object, code: number][] = [
  ["an unknown name", template("no_such"), 132001],
  ["an unknown language", template("hello_world", [], "fr"), 132001],
  ["a rejected one", template("lucky_winner"), 132001],
  ["a paused one", template("winter_sale"), 132015],
  ["too few values", template("order_update", ["Ana"]), 132000],
  ["a value with a line break", template("order_update", ["Ana\nB", "1"]), 132018],
  ["values without their names", template("table_reminder", ["Ana", "Pier 3", "19:00"]), 132018],
  ["one that fits", template("order_update", ["Ana", "1"]), 0],
  ["one that fits, in another language", template("order_update", ["Ana", "1"], "de"), 0],
];
for (const [sentence, message, code] of templates) {
  test(`template: ${sentence}`, async () => assert.equal(await codeOf(message), code));
}

test("an older version of Graph has other codes for parameters", async () => {
  const named = { messaging_product: "whatsapp", ...template("table_reminder", ["Ana", "Pier 3", "19:00"]) };
  assert.equal((await trial.graph("POST", `/v22.0/${orders}/messages`, named)).body.error.code, 132012);
});

test("a number may be taken elsewhere and read connected all the while, until it is registered again", async () => {
  await trial.admin("PUT", `numbers/${orders}`, { takenElsewhere: true });
  assert.equal(await codeOf({ to: user(1), ...hello }), 133010);
  const status = async () => (await trial.graph("GET", `/v24.0/${orders}?fields=status`)).body.status;
  assert.equal(await status(), "CONNECTED");
  await trial.graph("POST", `/v24.0/${orders}/register`, { messaging_product: "whatsapp", pin: "123456" });
  assert.equal(await codeOf({ to: user(1), ...hello }), 0);
});

test("a number registered elsewhere answers 133010, a banned one 131031, until that ends", async () => {
  await trial.admin("PUT", `numbers/${orders}`, { registered: false });
  assert.equal(await codeOf({ to: user(1), ...hello }), 133010);
  assert.equal(await codeOf({ to: user(1), ...hello }, care), 0);
  await trial.admin("PUT", `numbers/${orders}`, { registered: true, status: "BANNED" });
  assert.equal(await codeOf({ to: user(1), ...hello }), 131031);
  await trial.admin("PUT", `numbers/${orders}`, { status: "CONNECTED" });
  assert.equal(await codeOf({ to: user(1), ...hello }), 0);
});
