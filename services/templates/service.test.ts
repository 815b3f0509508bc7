// Templates as its peers meet it: news in by JetStream, questions by gRPC, on a real Postgres and NATS.
// The peers that it asks (messages, a connection) are gRPC servers of this test.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { create, fromJson, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate, ValueSchema } from "@bufbuild/protobuf/wkt";
import { jetstream } from "@nats-io/jetstream";
import { ServiceError } from "#lib/errors.ts";
import { type Client, createClient, serve, startGrpc } from "#lib/grpc.ts";
import { createRegistry } from "#lib/http.ts";
import { connectNats, ensureStream, type Nats } from "#lib/nats.ts";
import { UpstreamService, type UpstreamTemplateSchema } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import { AccountEventSchema, NumberEventSchema } from "#proto/heliograph/messages/v1/events_pb.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import { testLog } from "#test/env/log.ts";
import { privateNats } from "#test/env/nats.ts";
import { privateDatabase } from "#test/env/postgres.ts";
import { until } from "#test/until.ts";
import { readConfig } from "./config.ts";
import { startTemplates } from "./start.ts";

type UpstreamTemplate = MessageInitShape<typeof UpstreamTemplateSchema>;

const opened = new AsyncDisposableStack();
let now = new Date("2026-03-02T12:00:00.500Z");
let nats: Nats;
let templates: Client<typeof TemplatesService>;

// What the scripted WhatsApp account holds.
let listed: UpstreamTemplate[] = [];
let connected = new Set<string>();
let failures = 0;
const readings = new Map<string, number>();
/** The changes that WhatsApp was asked for, and what it does before it answers one. */
let asked: string[] = [];
let answerOf: (() => Promise<void>) | undefined;
/** A list is read at once, and answered when this is over. */
let heldList: Promise<void> | undefined;

before(async () => {
  const database = opened.use(await privateDatabase({ services: ["templates"] }));
  const { url } = opened.use(await privateNats());
  nats = opened.use(await connectNats({ url, name: "test", log: testLog }));
  const subjects = ["wa.number.>", "wa.account.>"];
  const consumers = [{ durable: "templates", filterSubjects: subjects }];
  await ensureStream(nats, { name: "WA", subjects, replicas: 1, consumers });
  const address = await startPeers();
  const config = readConfig({
    DATABASE_URL: database.url,
    NATS_URL: url,
    MESSAGES_ADDRESS: address,
    SYNC_POLL_MS: "20",
    LOG_LEVEL: testLog.level,
  });
  const service = opened.use(await startTemplates({ config, now: () => now }));
  templates = opened.use(createClient(TemplatesService, service.address));
});

after(() => opened.disposeAsync());

/** Messages, and a connection whose account is the one of the test at hand. */
async function startPeers(): Promise<string> {
  const upstream = serve(UpstreamService, {
    listTemplates() {
      if (failures > 0) {
        failures -= 1;
        return Promise.reject(new ServiceError("UNAVAILABLE", "upstream_unavailable", "WhatsApp did not answer"));
      }
      const answer = { wabaId: account, templates: listed };
      return heldList === undefined ? Promise.resolve(answer) : heldList.then(() => answer);
    },
    async createTemplate(request) {
      asked.push(`create ${request.name} ${request.language} ${request.category} ${request.parameterFormat}`);
      await answerOf?.();
      return { templateId: `7${account}`, status: "PENDING", category: request.category };
    },
    async editTemplate({ templateId, category, componentsJson, messageSendTtlSeconds: ttl }) {
      asked.push(`edit ${templateId} ${category} ${Buffer.from(componentsJson).toString()}${ttl ?? ""}`);
      await answerOf?.();
      return {};
    },
    async deleteTemplate({ name, templateId }) {
      asked.push(`delete ${name} ${templateId}`);
      await answerOf?.();
      return {};
    },
  });
  const server = opened.use(
    await startGrpc({
      host: "127.0.0.1",
      port: 0,
      services: [upstream],
      log: testLog,
      registry: createRegistry("peer"),
    }),
  );
  const messages = serve(MessagesService, {
    listNumbers({ wabaId }) {
      readings.set(wabaId, (readings.get(wabaId) ?? 0) + 1);
      // The first number is known, but not connected.
      const numbers = [{ phoneNumberId: "1", wabaId }];
      const present = { phoneNumberId: "2", wabaId, connection: { connected: true, address: server.address } };
      return Promise.resolve({ numbers: connected.has(wabaId) ? [...numbers, present] : numbers });
    },
  });
  const registry = createRegistry("messages");
  return opened.use(await startGrpc({ host: "127.0.0.1", port: 0, services: [messages], log: testLog, registry }))
    .address;
}

// Each test has an account of its own.
let lastAccount = 100;
let account = "";

beforeEach(() => {
  lastAccount += 1;
  account = String(lastAccount);
  connected = new Set([account]);
  listed = [template("order_update")];
  asked = [];
  answerOf = undefined;
  heldList = undefined;
});

const components = [{ type: "BODY", text: "Hi {{1}}" }];

function template(name: string, more: UpstreamTemplate = {}): UpstreamTemplate {
  return {
    templateId: "9007199254740993001",
    name,
    language: "en_US",
    status: "APPROVED",
    category: "UTILITY",
    quality: "GREEN",
    parameterFormat: "POSITIONAL",
    componentsJson: Buffer.from(JSON.stringify(components)),
    rejectedReason: "NONE",
    ...more,
  };
}

async function connect(): Promise<void> {
  const event = create(NumberEventSchema, { verb: "connected", phoneNumberId: "2", wabaId: account, term: 1n });
  await jetstream(nats).publish("wa.number.connected.2", toBinary(NumberEventSchema, event));
}

async function tell(field: string, value: Record<string, unknown> | string, at: Date = now): Promise<void> {
  const json = typeof value === "string" ? value : JSON.stringify(value);
  const event = create(AccountEventSchema, {
    wabaId: account,
    field,
    valueJson: Buffer.from(json),
    at: timestampFromDate(at),
  });
  await jetstream(nats).publish(`wa.account.${field}.${account}`, toBinary(AccountEventSchema, event));
}

const named = (name: string) => ({ message_template_name: name, message_template_language: "en-US" });

async function statuses(): Promise<Record<string, string>> {
  const { templates: found } = await templates.listTemplates({ wabaId: account });
  return Object.fromEntries(found.map(({ name, status }) => [name, status]));
}

async function check(name: string, ...texts: string[]): Promise<string> {
  const parameters = texts.map((text) => ({ type: "text", value: fromJson(ValueSchema, text) }));
  const message = { name, language: "en_US", components: [{ type: "body", parameters }] };
  const { verdict } = await templates.checkTemplateMessage({ wabaId: account, message });
  return verdict.case === "refusal"
    ? `${verdict.value.reason}: ${verdict.value.details}`
    : `sendable ${verdict.value?.category}`;
}

test("many messages are checked in one call, in the order asked", async () => {
  listed = [template("order_update"), template("old", { status: "PAUSED" })];
  await connect();
  await until(async () => Object.keys(await statuses()).length === 2);
  const named = (name: string) => ({ name, language: "en_US" });
  const messages = [named("old"), named("order_update"), named("never"), named("order_update")];
  const { checks } = await templates.batchCheckTemplateMessages({ wabaId: account, messages });
  const single = await Promise.all(
    messages.map((message) => templates.checkTemplateMessage({ wabaId: account, message })),
  );
  assert.deepEqual(checks, single);
  assert.equal(checks[0]?.verdict.case === "refusal" && checks[0].verdict.value.reason, "template_paused");
});

const minutesLater = (minutes: number): Date => new Date(now.getTime() + minutes * 60_000);

test("the account is read when one of its numbers connects", async () => {
  listed = [template("order_update"), template("welcome", { status: "PENDING", language: "pt-BR" })];
  await connect();
  await until(async () => Object.keys(await statuses()).length === 2);
  const { templates: found } = await templates.batchGetTemplates({
    keys: [
      { wabaId: account, name: "welcome", language: "pt_BR" },
      { wabaId: account, name: "nobody", language: "pt_BR" },
    ],
  });
  assert.equal(found.length, 1);
  const [welcome] = found;
  assert.equal(welcome?.status, "PENDING");
  assert.equal(welcome?.templateId, "9007199254740993001");
  assert.deepEqual(JSON.parse(Buffer.from(welcome?.componentsJson ?? []).toString("utf8")), components);
  assert.deepEqual(welcome?.syncedAt, create(AccountEventSchema, { at: timestampFromDate(now) }).at);
});

test("list filters by name and status", async () => {
  listed = [template("a"), template("b", { status: "PAUSED" }), template("a", { language: "de" })];
  assert.equal((await templates.syncTemplates({ wabaId: account })).templates, 3);
  const byName = await templates.listTemplates({ wabaId: account, name: "a" });
  assert.deepEqual(
    byName.templates.map(({ language }) => language),
    ["de", "en_US"],
  );
  const byStatus = await templates.listTemplates({ wabaId: account, status: "PAUSED" });
  assert.deepEqual(
    byStatus.templates.map(({ name }) => name),
    ["b"],
  );
});

test("a send is checked by state and parameters", async () => {
  listed = [
    template("order_update"),
    template("paused", { status: "PAUSED" }),
    template("off", { status: "DISABLED" }),
  ];
  await templates.syncTemplates({ wabaId: account });
  assert.equal(await check("order_update", "Ana"), "sendable UTILITY");
  assert.equal(await check("order_update"), "template_parameter_count: body: expected 1 parameter, found 0");
  assert.equal(await check("paused", "Ana"), "template_paused: template paused in en_US is PAUSED");
  assert.equal(await check("off", "Ana"), "template_disabled: template off in en_US is DISABLED");
  assert.equal(await check("nobody", "Ana"), "template_missing: template nobody in en_US does not exist");
});

test("a message is rendered, also of a paused template", async () => {
  listed = [template("order_update", { status: "PAUSED" })];
  await templates.syncTemplates({ wabaId: account });
  const parameters = [{ type: "text", value: fromJson(ValueSchema, "Ana") }];
  const message = { name: "order_update", language: "en_US", components: [{ type: "body", parameters }] };
  assert.equal((await templates.renderTemplateMessage({ wabaId: account, message })).body, "Hi Ana");
  const fails = (reason: string) => (error: ServiceError) => error.reason === reason;
  const empty = { name: "order_update", language: "en_US" };
  await assert.rejects(
    templates.renderTemplateMessage({ wabaId: account, message: empty }),
    fails("template_parameters"),
  );
  const unknown = { name: "nobody", language: "en_US" };
  await assert.rejects(
    templates.renderTemplateMessage({ wabaId: account, message: unknown }),
    fails("template_missing"),
  );
  await assert.rejects(templates.renderTemplateMessage({ wabaId: account }), fails("request_incomplete"));
});

test("status, quality and category change at once by news", async () => {
  await templates.syncTemplates({ wabaId: account });
  const before = await templates.listTemplates({ wabaId: account });
  assert.equal(before.templates[0]?.status, "APPROVED");
  // Ids of templates exceed what a number of JavaScript holds.
  const paused = JSON.stringify({ ...named("order_update"), event: "PAUSED" });
  await tell("message_template_status_update", paused.replace("{", '{"message_template_id":9007199254740993001,'));
  await tell("message_template_quality_update", {
    ...named("order_update"),
    previous_quality_score: "GREEN",
    new_quality_score: "RED",
  });
  await tell("template_category_update", {
    ...named("order_update"),
    previous_category: "UTILITY",
    new_category: "MARKETING",
  });
  await until(async () => {
    const { templates: found } = await templates.listTemplates({ wabaId: account });
    const [changed] = found;
    return changed?.status === "PAUSED" && changed.quality === "RED" && changed.category === "MARKETING";
  });
  await tell("message_template_status_update", { ...named("order_update"), event: "APPROVED" }, minutesLater(-1));
  await tell(
    "message_template_status_update",
    { ...named("order_update"), event: "A_STATE_OF_TOMORROW" },
    minutesLater(1),
  );
  await until(async () => (await statuses())["order_update"] === "A_STATE_OF_TOMORROW");
  assert.equal(
    await check("order_update", "Ana"),
    "template_missing: template order_update in en_US is A_STATE_OF_TOMORROW",
  );
});

test("what cannot be read holds nobody up, and foreign news change nothing", async () => {
  await templates.syncTemplates({ wabaId: account });
  await tell("message_template_status_update", "no JSON");
  await tell("message_template_status_update", { event: "PAUSED" });
  await tell("account_update", { event: "DISABLED_UPDATE" });
  await tell("message_template_status_update", { ...named("order_update"), event: "DISABLED" });
  await until(async () => (await statuses())["order_update"] === "DISABLED");
});

test("a template that is new by news is read at once, one that vanished is deleted", async () => {
  await templates.syncTemplates({ wabaId: account });
  now = minutesLater(2);
  listed = [template("brand_new")];
  await tell("message_template_status_update", { ...named("brand_new"), event: "APPROVED" });
  await until(async () => (await statuses())["brand_new"] === "APPROVED");
  assert.deepEqual(await statuses(), { brand_new: "APPROVED", order_update: "DELETED" });
});

test("news within half a minute of a reading wait for its end", async () => {
  await templates.syncTemplates({ wabaId: account });
  const before = readings.get(account);
  listed = [template("order_update"), template("brand_new")];
  await tell("message_template_status_update", { ...named("brand_new"), event: "APPROVED" });
  await tell("message_template_quality_update", { ...named("order_update"), new_quality_score: "YELLOW" });
  await until(async () => (await templates.listTemplates({ wabaId: account })).templates[0]?.quality === "YELLOW");
  assert.equal(readings.get(account), before);
  now = minutesLater(1);
  await until(async () => (await statuses())["brand_new"] === "APPROVED");
});

test("an account is read again every hour", async () => {
  await templates.syncTemplates({ wabaId: account });
  listed = [template("order_update", { quality: "YELLOW" })];
  now = minutesLater(67);
  await until(async () => (await templates.listTemplates({ wabaId: account })).templates[0]?.quality === "YELLOW");
});

test("a reading that fails is tried again", async () => {
  failures = 1;
  await connect();
  await until(() => readings.get(account) === 1);
  await until(async () => {
    now = minutesLater(1);
    return (await statuses())["order_update"] === "APPROVED";
  });
});

test("one unreadable template does not keep the others away", async () => {
  listed = [template("broken", { componentsJson: Buffer.from("no JSON") }), template(""), template("order_update")];
  assert.equal((await templates.syncTemplates({ wabaId: account })).templates, 1);
  assert.deepEqual(await statuses(), { order_update: "APPROVED" });
});

test("an account without a connected number cannot be read", async () => {
  connected = new Set();
  const fails = (code: string, reason: string) => (error: ServiceError) =>
    error.code === code && error.reason === reason;
  await assert.rejects(
    templates.syncTemplates({ wabaId: account }),
    fails("FAILED_PRECONDITION", "number_disconnected"),
  );
});

test("two readings at once save the same", async () => {
  listed = Array.from({ length: 300 }, (_, index) => template(`t${index}`));
  const counts = await Promise.all([1, 2, 3].map(() => templates.syncTemplates({ wabaId: account })));
  assert.deepEqual(
    counts.map((count) => count.templates),
    [300, 300, 300],
  );
  assert.equal(Object.keys(await statuses()).length, 300);
});

const fails = (code: string, reason: string) => (error: ServiceError) => error.code === code && error.reason === reason;
const componentsJson = Buffer.from(JSON.stringify(components));
const notice = () => ({ wabaId: account, name: "notice", language: "en-US", category: "utility", componentsJson });
const key = (name: string, language = "en_US") => ({ wabaId: account, name, language });

test("a template is created at WhatsApp, shown at once, and follows its review", async () => {
  const { template: created } = await templates.createTemplate({ template: notice() });
  assert.deepEqual([created?.status, created?.language, created?.templateId], ["PENDING", "en_US", `7${account}`]);
  assert.deepEqual(asked, ["create notice en_US UTILITY POSITIONAL"]);
  listed = [template("notice", { templateId: `7${account}`, status: "REJECTED", rejectedReason: "SCAM" })];
  await tell("message_template_status_update", { ...named("notice"), event: "REJECTED", reason: "SCAM" });
  await until(async () => (await statuses())["notice"] === "REJECTED");
  const { template: rejected } = await templates.getTemplate({ key: key("notice") });
  assert.equal(rejected?.rejectedReason, "SCAM");
  await assert.rejects(templates.createTemplate({ template: notice() }), fails("ALREADY_EXISTS", "template_exists"));
  assert.equal(asked.length, 1);
});

test("a review that is told while a deleted template is created anew holds", async () => {
  await templates.createTemplate({ template: notice() });
  await templates.deleteTemplate({ key: key("notice") });
  answerOf = async () => {
    listed = [template("notice", { templateId: `7${account}`, status: "APPROVED" })];
    await tell("message_template_status_update", { ...named("notice"), event: "APPROVED" });
    await until(async () => (await statuses())["notice"] === "APPROVED");
  };
  const { template: created } = await templates.createTemplate({ template: notice() });
  assert.deepEqual([created?.status, created?.templateId], ["APPROVED", `7${account}`]);
});

test("a reading that began before a change of ours does not undo it, and the next one comes within a minute", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  heldList = promise;
  const reading = templates.syncTemplates({ wabaId: account });
  await until(() => readings.get(account) === 1);
  now = minutesLater(1);
  await templates.createTemplate({ template: notice() });
  heldList = undefined;
  resolve();
  await reading;
  assert.deepEqual(await statuses(), { notice: "PENDING" });
  listed = [template("order_update"), template("notice", { templateId: `7${account}`, status: "APPROVED" })];
  now = minutesLater(1);
  await until(async () => (await statuses())["notice"] === "APPROVED");
});

test("an approved template is edited once a day; its text and its review are shown at once", async () => {
  await templates.syncTemplates({ wabaId: account });
  const [before] = (await templates.listTemplates({ wabaId: account })).templates;
  const shorter = Buffer.from('[{"type":"BODY","text":"Shorter."}]');
  const byId = { templateId: before?.templateId ?? "", componentsJson: shorter };
  await assert.rejects(
    templates.editTemplate({ template: { ...key("order_update"), category: "MARKETING" } }),
    fails("FAILED_PRECONDITION", "template_not_editable"),
  );
  const edited = await templates.editTemplate({ template: { ...key("order_update"), ...byId, templateId: "" } });
  assert.equal(edited.template?.status, "PENDING");
  assert.equal(Buffer.from(edited.template?.componentsJson ?? []).toString(), shorter.toString());
  assert.deepEqual(asked, [`edit ${byId.templateId}  ${shorter.toString()}`]);
  listed = [template("order_update", { componentsJson: shorter })];
  now = minutesLater(2);
  await templates.syncTemplates({ wabaId: account });
  await assert.rejects(
    templates.editTemplate({ template: { ...key("order_update"), ...byId, templateId: "" } }),
    (error: ServiceError) =>
      error.reason === "template_edit_limit" && error.retryAfterMs === 24 * 3_600_000 - 2 * 60_000,
  );
  const got = await templates.getTemplate({
    key: key("order_update"),
    declared: { category: "UTILITY", componentsJson },
  });
  assert.deepEqual(
    got.differences.map(({ field }) => field),
    ["BODY.text"],
  );
  assert.deepEqual([got.editable, got.editableAt !== undefined], [false, true]);
  now = minutesLater(24 * 60);
  assert.equal((await templates.getTemplate({ key: key("order_update") })).editable, true);
});

test("a template's time to live is read, compared, and edited without a review", async () => {
  listed = [template("order_update", { templateId: "5", messageSendTtlSeconds: 3_600 })];
  await templates.syncTemplates({ wabaId: account });
  const declared = { messageSendTtlSeconds: -1 };
  const got = await templates.getTemplate({ key: key("order_update"), declared });
  assert.equal(got.template?.messageSendTtlSeconds, 3_600);
  assert.deepEqual(
    got.differences.map(({ field, observed }) => `${field} ${observed}`),
    ["message_send_ttl_seconds 3600"],
  );
  const edited = await templates.editTemplate({ template: { ...key("order_update"), ...declared } });
  assert.deepEqual(asked, ["edit 5  -1"]);
  assert.deepEqual([edited.template?.status, edited.template?.messageSendTtlSeconds], ["APPROVED", -1]);
  assert.equal((await templates.getTemplate({ key: key("order_update"), declared })).editable, true);
});

test("one language is deleted by its id, all of them by their name", async () => {
  listed = [template("a", { templateId: "1" }), template("a", { templateId: "2", language: "de" }), template("b")];
  await templates.syncTemplates({ wabaId: account });
  await templates.deleteTemplate({ key: key("a", "de") });
  await assert.rejects(templates.getTemplate({ key: key("a", "de") }), fails("NOT_FOUND", "template_missing"));
  await assert.rejects(templates.deleteTemplate({ key: key("a", "de") }), fails("NOT_FOUND", "template_missing"));
  await templates.deleteTemplate({ key: key("a", "") });
  assert.deepEqual(asked, ["delete a 2", "delete a "]);
  assert.deepEqual(await statuses(), { a: "DELETED", b: "APPROVED" });
});

test("WhatsApp's refusal is passed on and changes nothing; after a lost answer the account is read", async () => {
  await templates.syncTemplates({ wabaId: account });
  answerOf = () => Promise.reject(new ServiceError("FAILED_PRECONDITION", "upstream_refused", "code 100: no"));
  await assert.rejects(
    templates.createTemplate({ template: notice() }),
    fails("FAILED_PRECONDITION", "upstream_refused"),
  );
  assert.deepEqual(await statuses(), { order_update: "APPROVED" });
  now = minutesLater(2);
  listed = [template("order_update"), template("notice", { status: "PENDING" })];
  answerOf = () => Promise.reject(new ServiceError("UNAVAILABLE", "upstream_unavailable", "WhatsApp did not answer"));
  await assert.rejects(templates.createTemplate({ template: notice() }), fails("UNAVAILABLE", "upstream_unavailable"));
  now = minutesLater(1);
  await until(async () => (await statuses())["notice"] === "PENDING");
});

test("what cannot be meant is refused here", async () => {
  const refusals: [call: Promise<unknown>, reason: string][] = [
    [templates.createTemplate({}), "request_incomplete"],
    [templates.createTemplate({ template: { ...notice(), componentsJson: Buffer.from("{}") } }), "template_invalid"],
    [templates.createTemplate({ template: { ...notice(), componentsJson: Buffer.of() } }), "template_invalid"],
    [templates.editTemplate({ template: key("order_update") }), "template_invalid"],
    [templates.deleteTemplate({}), "request_incomplete"],
  ];
  for (const [call, reason] of refusals) await assert.rejects(call, fails("INVALID_ARGUMENT", reason));
  assert.deepEqual(asked, []);
});
