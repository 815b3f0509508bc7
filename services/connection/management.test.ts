// The Upstream service: what others ask of WhatsApp through the holder of the number.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { ServiceError } from "#lib/errors.ts";
import { type Client, createClient } from "#lib/grpc.ts";
import { UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import { until } from "#test/until.ts";
import { phoneNumberId, wabaId } from "./test-peers.ts";
import { type Answer, refused, type Sent } from "./test-upstream.ts";
import { startWorld, type World } from "./test-world.ts";

let world: World;
let client: Client<typeof UpstreamService>;

before(async () => {
  world = await startWorld();
  client = createClient(UpstreamService, world.connection.address);
  await until(async () => (await fetch(`${world.connection.http}/readyz`)).status === 200);
});

after(async () => {
  await client[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

beforeEach(() => {
  world.upstream.received.length = 0;
});

function ok(body: unknown): Answer {
  return { status: 200, body };
}

function queryOf({ path }: Sent): URLSearchParams {
  return new URL(path, "http://upstream").searchParams;
}

const changed = (): Answer => ok({ success: true });

/** Method, path and body of what was asked. */
function asked(): [method: string, path: string, body: object][] {
  return world.upstream.received.map(({ method, path, body }) => [method, path, body]);
}

async function reasonOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ServiceError) return `${error.code} ${error.reason}`;
  }
  return "";
}

test("templates are read page by page with the cursor", async () => {
  const template = (name: string) => ({
    id: `1${name.length}`,
    name,
    language: "en_US",
    status: "APPROVED",
    category: "UTILITY",
  });
  const components = [{ type: "BODY", text: "Hello {{1}}" }];
  world.upstream.answer = (sent) => {
    if (queryOf(sent).get("after") === null) {
      const paging = { cursors: { after: "AA==" }, next: "https://elsewhere.example/next" };
      return ok({
        data: [{ ...template("one"), components, quality_score: { score: "GREEN" }, parameter_format: "NAMED" }],
        paging,
      });
    }
    return ok({ data: [template("three")], paging: { cursors: { after: "BB==" } } });
  };
  const { wabaId: account, templates } = await client.listTemplates({});
  assert.equal(account, wabaId);
  assert.deepEqual(
    templates.map(({ name, quality, parameterFormat }) => [name, quality, parameterFormat]),
    [
      ["one", "GREEN", "NAMED"],
      ["three", "UNKNOWN", "POSITIONAL"],
    ],
  );
  assert.deepEqual(JSON.parse(Buffer.from(templates[0]?.componentsJson ?? []).toString()), components);
  assert.deepEqual(
    world.upstream.received.map((sent) => [sent.path.split("?")[0], queryOf(sent).get("after")]),
    [
      [`/v24.0/${wabaId}/message_templates`, null],
      [`/v24.0/${wabaId}/message_templates`, "AA=="],
    ],
  );
});

test("the number's facts come with its portfolio, in our words", async () => {
  world.upstream.answer = ({ path }) =>
    path.includes(`/${phoneNumberId}?`)
      ? ok({
          id: phoneNumberId,
          display_phone_number: "+1 555-999-0000",
          verified_name: "A Shop",
          status: "CONNECTED",
          quality_rating: "GREEN",
          whatsapp_business_manager_messaging_limit: "TIER_2K",
          throughput: { level: "STANDARD" },
          name_status: "APPROVED",
        })
      : ok({ id: wabaId, owner_business_info: { id: "4242", name: "A Shop" } });
  const facts = await client.getPhoneNumber({});
  assert.deepEqual(
    [
      facts.phoneNumberId,
      facts.wabaId,
      facts.businessId,
      facts.displayPhoneNumber,
      facts.messagingLimitTier,
      facts.throughputLevel,
    ],
    [phoneNumberId, wabaId, "4242", "15559990000", "TIER_2K", "STANDARD"],
  );
  assert.ok(facts.observedAt);
});

test("an older API version, and an account whose owner may not be seen, still give the facts", async () => {
  world.upstream.answer = (sent) => {
    if (sent.path.includes(`/${wabaId}?`)) return refused(400, 100);
    if (queryOf(sent).get("fields")?.includes("whatsapp_business_manager")) return refused(400, 100);
    return ok({ id: phoneNumberId, messaging_limit_tier: "TIER_1K" });
  };
  const facts = await client.getPhoneNumber({});
  assert.deepEqual([facts.messagingLimitTier, facts.qualityRating, facts.businessId], ["TIER_1K", "UNKNOWN", ""]);
});

test("an inbound message is marked as read, with the typing indicator where it is asked for", async () => {
  world.upstream.answer = () => ok({ success: true });
  await client.markRead({ wamid: "wamid.X" });
  await client.markRead({ wamid: "wamid.Y", typing: true });
  assert.deepEqual(
    world.upstream.received.map(({ path, body }) => [path, body]),
    [
      [`/v24.0/${phoneNumberId}/messages`, { messaging_product: "whatsapp", status: "read", message_id: "wamid.X" }],
      [
        `/v24.0/${phoneNumberId}/messages`,
        { messaging_product: "whatsapp", status: "read", message_id: "wamid.Y", typing_indicator: { type: "text" } },
      ],
    ],
  );
});

test("a refusal of WhatsApp, no answer, and a process without the number are told apart", async () => {
  world.upstream.answer = () => refused(400, 131_009);
  assert.equal(await reasonOf(client.markRead({ wamid: "wamid.X" })), "FAILED_PRECONDITION upstream_refused");
  world.upstream.answer = () => "cut";
  assert.equal(await reasonOf(client.listTemplates({})), "UNAVAILABLE upstream_unavailable");
  world.upstream.answer = () => ({ status: 502, body: "<html>" });
  assert.equal(await reasonOf(client.listTemplates({})), "UNAVAILABLE upstream_unavailable");
  const standby = await world.startAnother({ HOLDER: "test/2" });
  await using other = createClient(UpstreamService, standby.address);
  assert.equal(await reasonOf(other.getPhoneNumber({})), "FAILED_PRECONDITION number_disconnected");
});

const componentsJson = Buffer.from('[{"type":"BODY","text":"Hello"}]');
const components = [{ type: "BODY", text: "Hello" }];

test("templates are created, edited and deleted in Meta's words", async () => {
  world.upstream.answer = ({ method, path }) =>
    method === "POST" && path.endsWith("/message_templates")
      ? ok({ id: "9007199254740993001", status: "PENDING", category: "MARKETING" })
      : changed();
  const made = await client.createTemplate({ name: "hi", language: "de", category: "UTILITY", componentsJson });
  assert.deepEqual([made.templateId, made.status, made.category], ["9007199254740993001", "PENDING", "MARKETING"]);
  await client.editTemplate({ templateId: "77", componentsJson });
  await client.editTemplate({ templateId: "77", category: "MARKETING" });
  const ofAnHour = { name: "bye", language: "de", category: "UTILITY", componentsJson, messageSendTtlSeconds: 3_600 };
  await client.createTemplate(ofAnHour);
  await client.editTemplate({ templateId: "77", messageSendTtlSeconds: -1 });
  await client.deleteTemplate({ name: "hi", templateId: "77" });
  await client.deleteTemplate({ name: "hi" });
  assert.deepEqual(asked(), [
    ["POST", `/v24.0/${wabaId}/message_templates`, { name: "hi", language: "de", category: "UTILITY", components }],
    ["POST", "/v24.0/77", { components }],
    ["POST", "/v24.0/77", { category: "MARKETING" }],
    [
      "POST",
      `/v24.0/${wabaId}/message_templates`,
      { name: "bye", language: "de", category: "UTILITY", components, message_send_ttl_seconds: 3_600 },
    ],
    ["POST", "/v24.0/77", { message_send_ttl_seconds: -1 }],
    ["DELETE", `/v24.0/${wabaId}/message_templates?name=hi&hsm_id=77`, {}],
    ["DELETE", `/v24.0/${wabaId}/message_templates?name=hi`, {}],
  ]);
});

test("what cannot be meant does not reach WhatsApp", async () => {
  const broken = { name: "hi", language: "de", category: "UTILITY", componentsJson: Buffer.from("{}") };
  const calls: [call: Promise<unknown>, reason: string][] = [
    [client.createTemplate({ ...broken, name: "" }), "INVALID_ARGUMENT name_missing"],
    [client.createTemplate(broken), "INVALID_ARGUMENT components_invalid"],
    [client.editTemplate({ templateId: "77" }), "INVALID_ARGUMENT change_missing"],
    [client.editTemplate({ category: "UTILITY" }), "INVALID_ARGUMENT template_id_missing"],
    [client.deleteTemplate({}), "INVALID_ARGUMENT name_missing"],
    [client.register({ pin: "12345" }), "INVALID_ARGUMENT pin_invalid"],
  ];
  for (const [call, reason] of calls) assert.equal(await reasonOf(call), reason);
  assert.deepEqual(asked(), []);
});

const registrations: [code: number, reason: string, retryAfterMs: number | undefined][] = [
  [133_005, "pin_wrong", undefined],
  [133_006, "number_unverified", undefined],
  [133_008, "registration_limit", 3_600_000],
  [133_009, "registration_limit", 30_000],
  [133_015, "registration_limit", 300_000],
  [133_016, "registration_limit", 259_200_000],
  [131_031, "upstream_refused", undefined],
];
for (const [code, reason, retryAfterMs] of registrations) {
  test(`a registration that is refused with ${code} is ${reason}, and the PIN is in no word of it`, async () => {
    world.upstream.answer = () => refused(400, code);
    const error = await client.register({ pin: "135790" }).catch((fault: unknown) => fault);
    assert.ok(error instanceof ServiceError);
    assert.deepEqual([error.reason, error.retryAfterMs], [reason, retryAfterMs]);
    assert.match(error.message, new RegExp(`code ${code}`));
    assert.doesNotMatch(error.message, /135790/);
  });
}

test("the account shows its reviews and what keeps it from sending, and its numbers are listed", async () => {
  const errors = [{ error_code: 141006, error_description: "no payment method", possible_solution: "add one" }];
  world.upstream.answer = ({ path }) =>
    path.includes("/phone_numbers?")
      ? ok({
          data: [
            { id: "1", display_phone_number: "+1 555-000-1111", status: "PENDING", platform_type: "NOT_APPLICABLE" },
          ],
        })
      : ok({
          id: wabaId,
          name: "A Shop",
          account_review_status: "APPROVED",
          business_verification_status: "verified",
          owner_business_info: { id: "4242", name: "Shops" },
          health_status: {
            can_send_message: "BLOCKED",
            entities: [{ entity_type: "WABA", id: wabaId, can_send_message: "BLOCKED", errors }],
          },
        });
  const account = await client.getAccount({});
  assert.deepEqual(
    [account.accountReviewStatus, account.businessVerificationStatus, account.businessId, account.canSendMessage],
    ["APPROVED", "verified", "4242", "BLOCKED"],
  );
  assert.deepEqual(
    account.problems.map(({ entityType, code, solution }) => [entityType, code, solution]),
    [["WABA", 141_006, "add one"]],
  );
  const { phoneNumbers } = await client.listPhoneNumbers({});
  assert.deepEqual(
    phoneNumbers.map(({ phoneNumberId: numberId, displayPhoneNumber, status }) => [
      numberId,
      displayPhoneNumber,
      status,
    ]),
    [["1", "15550001111", "PENDING"]],
  );
});

test("an account whose health may not be read still shows the rest; a refused token is told", async () => {
  world.upstream.answer = (sent) =>
    queryOf(sent).get("fields")?.includes("health_status")
      ? refused(400, 100)
      : ok({ account_review_status: "PENDING" });
  const account = await client.getAccount({});
  assert.deepEqual([account.accountReviewStatus, account.canSendMessage], ["PENDING", ""]);
  world.upstream.answer = () => refused(401, 190);
  assert.equal(await reasonOf(client.getAccount({})), "FAILED_PRECONDITION upstream_refused");
});

test("apps are listed, subscribed and unsubscribed", async () => {
  world.upstream.answer = ({ method }) =>
    method === "GET"
      ? ok({
          data: [
            { whatsapp_business_api_data: { id: "67", name: "An App", link: "x" }, override_callback_uri: "https://a" },
          ],
        })
      : changed();
  const { apps } = await client.listSubscribedApps({});
  assert.deepEqual(
    apps.map(({ appId, name, overrideCallbackUri }) => [appId, name, overrideCallbackUri]),
    [["67", "An App", "https://a"]],
  );
  await client.subscribeApp({});
  await client.unsubscribeApp({});
  const path = `/v24.0/${wabaId}/subscribed_apps`;
  assert.deepEqual(asked(), [
    ["GET", path, {}],
    ["POST", path, {}],
    ["DELETE", path, {}],
  ]);
});

const scopes = ["whatsapp_business_management", "whatsapp_business_messaging"];
const tokens: [sentence: string, answer: (sent: Sent) => Answer, expected: object][] = [
  [
    "a good token says until when",
    () => ok({ data: { is_valid: true, expires_at: 1_800_000_000, app_id: "67", application: "An App", scopes } }),
    { valid: true, inspected: true, expiresAt: 1_800_000_000n, scopes: 2, problem: false },
  ],
  [
    "one without end has no time",
    () => ok({ data: { is_valid: true, expires_at: 0, scopes: [] } }),
    { valid: true, inspected: true, expiresAt: undefined, scopes: 0, problem: false },
  ],
  [
    "an expired one is an answer",
    () => ok({ data: { is_valid: false, error: { code: 190, message: "expired" } } }),
    { valid: false, inspected: true, expiresAt: undefined, scopes: 0, problem: true },
  ],
  [
    "so is one that WhatsApp does not know",
    () => refused(401, 190),
    { valid: false, inspected: false, expiresAt: undefined, scopes: 0, problem: true },
  ],
  [
    "one that may not look into itself is tried on the account",
    ({ path }) => (path.includes("debug_token") ? refused(400, 100) : ok({ id: wabaId })),
    { valid: true, inspected: false, expiresAt: undefined, scopes: 0, problem: false },
  ],
];
for (const [sentence, answer, expected] of tokens) {
  test(`token: ${sentence}`, async () => {
    world.upstream.answer = answer;
    const { valid, inspected, expiresAt, scopes: given, problem } = await client.checkToken({});
    assert.deepEqual(
      { valid, inspected, expiresAt: expiresAt?.seconds, scopes: given.length, problem: problem !== "" },
      expected,
    );
    assert.doesNotMatch(problem, /token one/);
  });
}
