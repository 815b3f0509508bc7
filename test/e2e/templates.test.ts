// Templates and registration through the whole system: handed in at the gateway, reviewed by WhatsApp, sent; and a number that has to
// be registered before it sends.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createClient } from "#lib/grpc.ts";
import { planPorts } from "#local/ports.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import { send, template } from "#test/client.ts";
import { phoneMessages } from "#test/judge.ts";
import { freePortBase, startSystem, type System } from "#test/system.ts";
import { until } from "#test/until.ts";

const patience = { timeoutMs: 30_000 };

function parseJson(json: string) {
  return JSON.parse(json);
}

type Json = ReturnType<typeof parseJson>;

describe("templates and registration in the whole system", () => {
  let system: System;
  let messagesAddress: string;
  before(async () => {
    const portBase = await freePortBase();
    messagesAddress = `127.0.0.1:${planPorts({ base: portBase }, 0).services.messages.grpc}`;
    system = await startSystem({ portBase });
  });
  after(() => system[Symbol.asyncDispose]());

  const number = () => system.run.numbers[0] ?? assert.fail("no number");

  async function call(
    base: string,
    method: string,
    path: string,
    body?: object,
  ): Promise<{ status: number; json: Json }> {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: { authorization: `Bearer ${system.run.token}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    return { status: response.status, json: parseJson(await response.text()) };
  }
  const gateway = (method: string, path: string, body?: object) =>
    call(system.run.gateway, method, `/v24.0/${path}`, body);
  const admin = (method: string, path: string, body?: object) =>
    call(system.run.simulator, method, `/admin/${path}`, body);

  test("a template is created, approved, sent, edited and deleted through the gateway", async () => {
    const edge = `${number().wabaId}/message_templates`;
    const components = [{ type: "BODY", text: "We close early today." }];
    const notice = { name: "early_notice", language: "en_US", category: "UTILITY", components };
    // More than a second: news carry whole seconds, and may come in another order.
    await admin("PUT", "settings", { reviewAfterMs: 1_500 });
    const created = await gateway("POST", edge, notice);
    assert.deepEqual([created.status, created.json.status, created.json.category], [200, "PENDING", "UTILITY"]);
    const again = await gateway("POST", edge, notice);
    assert.deepEqual([again.status, again.json.error.code, again.json.error.error_subcode], [400, 100, 2388024]);
    const listed = async (): Promise<Json> => (await gateway("GET", `${edge}?name=early_notice`)).json.data[0];
    await until(async () => (await listed())?.status === "APPROVED", patience);
    const user = "15550100777";
    await send(system.run, number().phoneNumberId, template(user, "early_notice"));
    await until(async () => (await phoneMessages(system.run, user)).length === 1, patience);
    const edited = await gateway("POST", created.json.id, { components: [{ type: "BODY", text: "We open late." }] });
    assert.deepEqual([edited.status, edited.json], [200, { success: true }]);
    await until(async () => (await listed())?.status === "APPROVED", patience);
    assert.equal((await listed()).components[0].text, "We open late.");
    const tooSoon = await gateway("POST", created.json.id, { components });
    assert.equal(tooSoon.json.error.code, 100);
    assert.match(tooSoon.json.error.error_data.details, /edited as often as WhatsApp allows until/);
    const broken = { ...notice, name: "edge", components: [{ type: "BODY", text: "{{1}} is here" }] };
    const refused = await gateway("POST", edge, broken);
    assert.deepEqual([refused.status, refused.json.error.code], [400, 100]);
    assert.match(refused.json.error.error_data.details, /2388299/);
    assert.equal((await gateway("DELETE", `${edge}?name=early_notice`)).status, 200);
    assert.equal(await listed(), undefined);
  });

  test("a number that WhatsApp does not know any more shows it, its messages wait, and others go when it is registered", async () => {
    const { phoneNumberId } = number();
    const taken = await admin("PUT", `numbers/${phoneNumberId}`, { registered: false, pin: "123456" });
    assert.equal(taken.json.registered, false);
    const user = "15550100778";
    await send(system.run, phoneNumberId, template(user, "hello_world"));
    await using messages = createClient(MessagesService, messagesAddress);
    const standing = async () => (await messages.getNumber({ phoneNumberId })).number?.connection?.standing;
    await until(async () => (await standing()) === "conflict", patience);
    assert.deepEqual(await phoneMessages(system.run, user), []);
    const { number: held } = await messages.getNumber({ phoneNumberId });
    await using upstream = createClient(UpstreamService, held?.connection?.address ?? "");
    await assert.rejects(upstream.register({ pin: "654321" }), { reason: "pin_wrong" });
    await upstream.register({ pin: "123456" });
    const { status } = await upstream.getPhoneNumber({});
    assert.equal(status, "CONNECTED");
    const { apps } = await upstream.listSubscribedApps({});
    assert.equal(apps.length, 1);
    await until(async () => (await standing()) === "", patience);
    // The first message has its own time to be tried again; others go at once.
    const other = "15550100779";
    await send(system.run, phoneNumberId, template(other, "hello_world"));
    await until(async () => (await phoneMessages(system.run, other)).length === 1, patience);
    const token = await upstream.checkToken({});
    assert.deepEqual([token.valid, token.inspected], [true, true]);
  });
});
