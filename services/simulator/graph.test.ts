// Reading Graph: nodes, lists in pages, and what it answers for what is not there.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Answer, orders, startTrial, type Trial, waba } from "./test-trial.ts";

let trial: Trial;

before(async () => {
  trial = await startTrial();
});
after(() => trial[Symbol.asyncDispose]());

const get = (path: string): Promise<Answer> => trial.graph("GET", path);

test("a number has a small set of fields by default, and those asked for", async () => {
  assert.deepEqual((await get(`/v24.0/${orders}`)).body, {
    verified_name: "Fjord Coffee Orders",
    code_verification_status: "VERIFIED",
    display_phone_number: "+1 555 010 0001",
    quality_rating: "GREEN",
    platform_type: "CLOUD_API",
    throughput: { level: "STANDARD" },
    id: orders,
  });
  const fields = "status,name_status,messaging_limit_tier,whatsapp_business_manager_messaging_limit";
  assert.deepEqual((await get(`/${orders}?fields=${fields}`)).body, {
    status: "CONNECTED",
    name_status: "APPROVED",
    messaging_limit_tier: "TIER_10K",
    whatsapp_business_manager_messaging_limit: "TIER_10K",
    id: orders,
  });
});

test("an account names its owner, whatever is selected inside", async () => {
  const fields =
    "id,name,currency,timezone_id,owner_business_info{id,name},account_review_status,business_verification_status";
  assert.deepEqual((await get(`/v24.0/${waba}?fields=${fields}`)).body, {
    id: waba,
    name: "Fjord Coffee",
    currency: "EUR",
    timezone_id: "1",
    owner_business_info: { id: "2729063490586005", name: "Fjord Coffee" },
    account_review_status: "APPROVED",
    business_verification_status: "verified",
  });
});

test("an account lists its numbers", async () => {
  const { body } = await get(`/v24.0/${waba}/phone_numbers?fields=verified_name`);
  assert.deepEqual(body.data, [
    { verified_name: "Fjord Coffee Orders", id: "106540352242922" },
    { verified_name: "Fjord Coffee Care", id: "106540352242923" },
  ]);
  assert.equal(body.paging.next, undefined);
});

test("templates come in pages that lead from one to the next and back", async () => {
  const names: string[] = [];
  let path: string | undefined = `/v24.0/${waba}/message_templates?fields=name,language&limit=4`;
  let pages = 0;
  let previous: string | undefined;
  while (path !== undefined) {
    const { body } = await get(path);
    names.push(...body.data.map(({ name, language }: { name: string; language: string }) => `${name} ${language}`));
    const next: string | undefined = body.paging.next;
    path = next?.slice(trial.simulator.apiUrl.length);
    previous = body.paging.previous;
    pages += 1;
  }
  assert.equal(pages, 3);
  assert.equal(new Set(names).size, 9);
  assert.equal(names.length, 9);
  const { body } = await get(String(previous).slice(trial.simulator.apiUrl.length));
  assert.equal(body.data[0].name, names[4]?.split(" ")[0]);
  assert.equal((await get(`/v24.0/${waba}/message_templates?after=nonsense`)).body.error.code, 131059);
});

const filters: [query: string, names: string[]][] = [
  ["name=order_update&language=de", ["order_update"]],
  ["name=sale", ["spring_sale", "winter_sale"]],
  ["status=PAUSED,REJECTED", ["winter_sale", "lucky_winner"]],
  ['category=["AUTHENTICATION"]', ["login_code"]],
  ["quality_score=YELLOW&status=approved", ["spring_sale"]],
  ["name=nothing", []],
];
for (const [query, names] of filters) {
  test(`templates by ${query}`, async () => {
    const { body } = await get(`/v24.0/${waba}/message_templates?${query}`);
    assert.deepEqual(
      body.data.map(({ name }: { name: string }) => name),
      names,
    );
  });
}

test("a template is a node, too, with Meta's components", async () => {
  const { body } = await get("/v24.0/90071992547409937?fields=name,quality_score,components,rejected_reason");
  assert.equal(body.quality_score.score, "GREEN");
  assert.equal(body.rejected_reason, "NONE");
  assert.deepEqual(body.components[0].example, { body_text: [["Ana", "4711"]] });
});

const absent: [sentence: string, method: string, path: string, subcode: number | undefined][] = [
  ["an unknown node", "GET", "/v24.0/1", 33],
  ["an unknown node's edge", "POST", "/v24.0/1/messages", 33],
  ["an edge that is not simulated", "POST", `/v24.0/${orders}/request_code`, 33],
  ["a method that does not fit", "DELETE", `/v24.0/${orders}/messages`, 33],
  ["the root", "GET", "/", 33],
  ["an unknown field", "GET", `/v24.0/${orders}?fields=shoe_size`, undefined],
];
for (const [sentence, method, path, subcode] of absent) {
  test(`not there: ${sentence}`, async () => {
    const { status, body } = await trial.graph(method, path);
    assert.deepEqual([status, body.error.code, body.error.error_subcode], [400, 100, subcode]);
  });
}

test("who asks must bring a token that holds", async () => {
  const none = await trial.graph("GET", `/v24.0/${orders}`, undefined, {});
  assert.deepEqual([none.status, none.body.error.code, none.body.error.type], [401, 104, "OAuthException"]);
  const wrong = await trial.graph("GET", `/v24.0/${orders}`, undefined, { authorization: "Bearer nonsense" });
  assert.deepEqual([wrong.status, wrong.body.error.code], [401, 190]);
  const asQuery = await trial.graph("GET", `/v24.0/${orders}?access_token=simulator-access-token`, undefined, {});
  assert.equal(asQuery.status, 200);
  await trial.admin("PUT", "settings", { tokenRevoked: true });
  const revoked = await get(`/v24.0/${orders}`);
  assert.deepEqual([revoked.status, revoked.body.error.code, revoked.body.error.error_subcode], [401, 190, 460]);
  await trial.admin("PUT", "settings", { tokenRevoked: false });
  assert.equal((await get(`/v24.0/${orders}`)).status, 200);
});

test("a form with JSON inside is as good as JSON", async () => {
  const form = new URLSearchParams({
    messaging_product: "whatsapp",
    to: "15550100999",
    type: "template",
    template: JSON.stringify({ name: "hello_world", language: { code: "en_US" } }),
  });
  const headers = {
    authorization: "Bearer simulator-access-token",
    "content-type": "application/x-www-form-urlencoded",
  };
  const { body } = await trial.graph("POST", `/v24.0/${orders}/messages`, form.toString(), headers);
  assert.equal(body.messages[0].message_status, "accepted");
});
