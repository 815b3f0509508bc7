// Templates from kubectl to WhatsApp and back: a real API server, the real services, and the simulator as WhatsApp. What an account
// has is adopted first, which changes nothing; then templates are submitted, reviewed, edited by others, and deleted.
import assert from "node:assert/strict";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { planPorts } from "#local/ports.ts";
import { type KubeAccess, accessKube, installCrds, makeNamespace } from "#test/env/kube-objects.ts";
import { sharedKube } from "#test/env/kube.ts";
import { testLog } from "#test/env/log.ts";
import { freePortBase, startSystem, type System } from "#test/system.ts";
import { until } from "#test/until.ts";
import type { WhatsAppTemplate } from "../api/v1alpha1/whatsapp-template.ts";
import { businessAccounts, projectTemplate, type Stored, whatsAppTemplates } from "../kinds.ts";
import { systemClock } from "../runtime/clock.ts";
import { createRecorder } from "../runtime/events.ts";
import { apiVersionOf, type Resource } from "../runtime/objects.ts";
import { openServices } from "../services.ts";
import { startWatches } from "../watches.ts";
import { createTemplateController } from "./controller.ts";

const patience = { timeoutMs: 90_000 };
const apiVersion = apiVersionOf(whatsAppTemplates);
const events: Resource = { group: "events.k8s.io", version: "v1", kind: "Event", plural: "events", isNamespaced: true };
const root = fileURLToPath(new URL("../../", import.meta.url));

const opened = new AsyncDisposableStack();
let admin: KubeAccess;
let system: System;
let namespace = "";

before(async () => {
  const kube = await sharedKube();
  admin = opened.use(accessKube(kube));
  await installCrds(admin);
  namespace = await makeNamespace(admin);
  const numbersDir = await mkdtemp(join(tmpdir(), "heliograph-templates-"));
  opened.defer(() => rm(numbersDir, { recursive: true }));
  for (const file of ["account.yaml", "numbers.yaml"])
    await copyFile(`${root}deploy/samples/${file}`, join(numbersDir, file));
  const portBase = await freePortBase();
  system = opened.use(await startSystem({ numbersDir, portBase }));
  const { services } = planPorts({ base: portBase }, 0);
  const at = (name: "messages" | "quality" | "templates" | "webhooks") => `127.0.0.1:${services[name].grpc}`;
  const addresses = {
    MESSAGES_ADDRESS: at("messages"),
    QUALITY_ADDRESS: at("quality"),
    TEMPLATES_ADDRESS: at("templates"),
    WEBHOOKS_ADDRESS: at("webhooks"),
  };
  const { client, metrics } = admin;
  const shared = { client, metrics, clock: systemClock, random: Math.random, log: testLog };
  const clients = opened.use(openServices(addresses, testLog));
  const watches = opened.use(startWatches({ ...shared, namespace }));
  const recorder = opened.use(createRecorder({ ...shared, controller: "heliograph.dev/operator", instance: "test" }));
  const controller = opened.use(
    createTemplateController({ ...shared, watches, services: clients, recorder, pollMs: 300 }),
  );
  await watches.synced;
  controller.start();
});

after(() => opened.disposeAsync());

type Spec = Record<string, unknown>;

async function apply(resource: Resource, name: string, spec: Spec, annotations?: Record<string, string>) {
  const metadata = { name, namespace, ...(annotations !== undefined && { annotations }) };
  const wish = { apiVersion, kind: resource.kind, metadata, spec };
  return admin.client.apply(resource, wish, { fieldManager: "test" });
}

const text = (name: string, body: string, more: Spec = {}): Spec => ({
  accountRef: { name: "fjord-coffee" },
  name,
  language: "en_US",
  category: "Utility",
  body: { text: body },
  ...more,
});

async function get(name: string): Promise<Stored<WhatsAppTemplate> | undefined> {
  const object = await admin.client.get(whatsAppTemplates, `${namespace}/${name}`);
  return object && projectTemplate(object);
}

/** Waits for `Type=Status/Reason`. */
function untilSaid(name: string, wanted: string): Promise<Stored<WhatsAppTemplate>> {
  const look = async (): Promise<Stored<WhatsAppTemplate>> => {
    const found = await get(name);
    const { observedGeneration, conditions = [] } = found?.status ?? {};
    const said = conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`);
    if (found !== undefined && observedGeneration === found.metadata.generation && said.includes(wanted)) return found;
    throw new Error(JSON.stringify(found?.status));
  };
  return until(look, { ...patience, message: `${name} says ${wanted}` });
}

const eventSchema = z.object({ reason: z.string(), note: z.string(), regarding: z.object({ name: z.string() }) });

async function eventsOf(name: string): Promise<{ reason: string; note: string }[]> {
  const { items } = await admin.client.list(events, { namespace });
  return items.map((item) => eventSchema.parse(item)).filter(({ regarding }) => regarding.name === name);
}

async function untilTold(name: string, reason: string): Promise<{ note: string }> {
  return until(async () => (await eventsOf(name)).find((event) => event.reason === reason), {
    ...patience,
    message: `no event ${reason} of ${name}`,
  });
}

const listSchema = z.object({
  data: z.array(z.looseObject({ id: z.string(), name: z.string(), language: z.string() })),
});

/** As anybody else who has the token: WhatsApp Manager, another program. */
async function graph(method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`${system.run.simulator}/v24.0/${path}`, {
    method,
    headers: { authorization: "Bearer simulator-access-token", "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answer: unknown = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return answer;
}

const wabaId = "102290129340398";

async function atWhatsApp() {
  const { data } = listSchema.parse(await graph("GET", `${wabaId}/message_templates?limit=100`));
  return data.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

async function setStatus(name: string, status: string): Promise<void> {
  const response = await fetch(`${system.run.simulator}/admin/templates/${name}?language=en_US`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ status }),
  });
  assert.ok(response.ok, await response.text());
}

const manifestSchema = z.object({
  kind: z.string(),
  metadata: z.object({ name: z.string() }),
  spec: z.looseObject({ managementPolicy: z.string().optional() }),
});

test("what is adopted and applied changes nothing at WhatsApp", async () => {
  const before = await atWhatsApp();
  const args = ["services/cli/main.ts", "adopt", "--data", system.dataDir];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  assert.match(stdout, /^# {3}kubectl create secret generic fjord-coffee /m);
  assert.doesNotMatch(stdout, /simulator-access-token|simulator-app-secret/);
  const parsed = parseAllDocuments(stdout);
  assert.ok(Array.isArray(parsed));
  const documents = parsed.map((one) => one.toJS()).filter((one: unknown) => one !== null);
  const manifests = documents.map((one: unknown) => manifestSchema.parse(one));
  const numbers = manifests.filter(({ kind }) => kind === "WhatsAppNumber").map(({ metadata }) => metadata.name);
  assert.deepEqual(numbers.sort(), ["care", "orders"]);
  for (const { kind, metadata, spec } of manifests) {
    if (kind === "WhatsAppBusinessAccount") await apply(businessAccounts, metadata.name, spec);
    if (kind === "WhatsAppTemplate") await apply(whatsAppTemplates, metadata.name, spec);
  }
  const templates = manifests.filter(({ kind }) => kind === "WhatsAppTemplate");
  // One of nine begins with a variable, which no resource may.
  assert.equal(templates.length, before.length - 1);
  for (const { metadata, spec } of templates) {
    assert.equal(spec.managementPolicy, undefined);
    await untilSaid(metadata.name, "Drifted=False/AsDeclared");
  }
  assert.deepEqual(await atWhatsApp(), before);
  assert.equal((await get("lucky-winner-en-us"))?.status?.rejectedReason, "Scam");
  await untilSaid("lucky-winner-en-us", "Stalled=True/Rejected");
  await untilSaid("order-update-en-us", "Ready=True/Approved");
  await untilSaid("winter-sale-en-us", "Ready=False/PausedByWhatsApp");
});

test("a template is submitted, reviewed and ready; then nothing is written any more", async () => {
  await apply(whatsAppTemplates, "closing", text("closing", "We close early today."));
  const ready = await untilSaid("closing", "Ready=True/Approved");
  assert.match(ready.status?.id ?? "", /^\d+$/);
  assert.ok(ready.status?.submittedHash !== undefined && ready.status.lastSubmittedTime !== undefined);
  await untilTold("closing", "Submitted");
  await untilTold("closing", "Approved");
  // Let everything that is under way arrive, then look at it twice more.
  const reconciles = async (): Promise<number> => {
    const { values } = await admin.metrics.reconciles.get();
    return values.filter(({ labels }) => labels.controller === "template").reduce((sum, { value }) => sum + value, 0);
  };
  for (const turn of ["1", "2"]) {
    const count = await reconciles();
    const { spec } = z
      .object({ spec: z.record(z.string(), z.unknown()) })
      .parse(await admin.client.get(businessAccounts, `${namespace}/fjord-coffee`));
    await apply(businessAccounts, "fjord-coffee", spec, { "test/turn": turn });
    // The account wakes all its nine templates.
    await until(async () => (await reconciles()) >= count + 9, { ...patience, message: "templates were not woken" });
  }
  assert.deepEqual(await get("closing"), ready);
  await apply(whatsAppTemplates, "closing", text("closing", "We close early today."));
  assert.deepEqual(await get("closing"), ready);
});

test("a rejected one waits for another text, which is handed in at once", async () => {
  await apply(whatsAppTemplates, "scam", text("scam", "Send us your money [[reject:SCAM]] now."));
  const rejected = await untilSaid("scam", "Stalled=True/Rejected");
  assert.equal(rejected.status?.rejectedReason, "Scam");
  assert.match((await untilTold("scam", "Rejected")).note, /SCAM/);
  await apply(whatsAppTemplates, "scam", text("scam", "Keep your money, please."));
  const { status } = await untilSaid("scam", "Ready=True/Approved");
  assert.deepEqual([status?.rejectedReason, status?.drift], [undefined, undefined]);
});

test("a text that WhatsApp refuses is told in its words, and another one is taken", async () => {
  await apply(
    whatsAppTemplates,
    "short",
    text("short", "A {{1}} b", { body: { text: "A {{1}} b", variables: [{ name: "1", example: "x" }] } }),
  );
  const refused = await untilSaid("short", "Stalled=True/Refused");
  const ready = refused.status?.conditions?.find(({ type }) => type === "Ready");
  assert.match(ready?.message ?? "", /2388293|too short/);
  await apply(whatsAppTemplates, "short", text("short", "Long enough for everybody."));
  await untilSaid("short", "Ready=True/Approved");
});

test("what others edit is told with its difference, and edited back", async () => {
  const name = "order-update-en-us";
  const id = (await get(name))?.status?.id ?? "";
  // Of a paused one WhatsApp takes any number of edits.
  await setStatus("order_update", "PAUSED");
  await graph("POST", id, { components: [{ type: "BODY", text: "Somebody else was here." }] });
  const drifted = await untilTold(name, "Drifted");
  assert.match(drifted.note, /BODY\.text: declared "Hi \{\{1\}\}, your order.*at WhatsApp "Somebody else was here\."/);
  await untilTold(name, "DriftResolved");
  const { status } = await untilSaid(name, "Ready=True/Approved");
  assert.equal(status?.drift, undefined);
  const found = (await atWhatsApp()).find((template) => template.id === id);
  assert.match(JSON.stringify(found), /your order \{\{2\}\} is ready/);
});

test("what is only observed is told and left alone", async () => {
  const spec = text("hello_world", "Something quite different.", { managementPolicy: "Observe" });
  const before = await atWhatsApp();
  await apply(whatsAppTemplates, "hello-world-en-us", spec);
  // Apply keeps what it had: header and footer were declared by the same manager and go with it.
  const { status } = await untilSaid("hello-world-en-us", "Drifted=True/Observed");
  assert.deepEqual(status?.drift?.map(({ field }) => field).toSorted(), ["BODY.text", "FOOTER", "HEADER"]);
  await untilSaid("hello-world-en-us", "Ready=True/Approved");
  assert.deepEqual(await atWhatsApp(), before);
});

test("a category that WhatsApp changes in its review is shown, not fought", async () => {
  await apply(whatsAppTemplates, "offer", text("offer", "Half price [[marketing]] today."));
  const { status } = await untilSaid("offer", "Drifted=True/CategoryFixed");
  assert.equal(status?.category, "Marketing");
  assert.deepEqual(status?.drift, [{ field: "category", declared: "Utility", observed: "Marketing" }]);
});

test("Delete takes it away at WhatsApp, whose name is then blocked", async () => {
  const spec = text("gone", "This one goes away.", { deletionPolicy: "Delete" });
  await apply(whatsAppTemplates, "gone", spec);
  const { metadata } = await untilSaid("gone", "Ready=True/Approved");
  assert.deepEqual(metadata.finalizers, ["heliograph.dev/template"]);
  await admin.client.delete(whatsAppTemplates, `${namespace}/gone`);
  await until(async () => (await get("gone")) === undefined, { ...patience, message: "gone is still there" });
  assert.deepEqual(
    (await atWhatsApp()).filter(({ name }) => name === "gone"),
    [],
  );
  await apply(whatsAppTemplates, "gone", spec);
  await untilSaid("gone", "Stalled=True/NameBlocked");
  // Nothing is there to be deleted.
  await admin.client.delete(whatsAppTemplates, `${namespace}/gone`);
  await until(async () => (await get("gone")) === undefined, { ...patience, message: "gone is still there" });
});

test("Retain leaves it there, and of two resources the older one counts", async () => {
  await apply(whatsAppTemplates, "twin", text("closing", "We close early today."));
  await untilSaid("twin", "Stalled=True/TemplateInUse");
  await admin.client.delete(whatsAppTemplates, `${namespace}/closing`);
  await untilSaid("twin", "Ready=True/Approved");
  assert.equal((await atWhatsApp()).filter(({ name }) => name === "closing").length, 1);
});

test("a time to live reaches WhatsApp, also when it changes, and nobody reviews it", async () => {
  const ttlOf = async (id: string | undefined): Promise<unknown> => {
    const found = await graph("GET", `${id ?? ""}?fields=message_send_ttl_seconds,status`);
    return z.looseObject({ message_send_ttl_seconds: z.number() }).parse(found).message_send_ttl_seconds;
  };
  await apply(whatsAppTemplates, "brief", text("brief", "We are here for an hour.", { messageTtlSeconds: 3_600 }));
  const { status } = await untilSaid("brief", "Ready=True/Approved");
  assert.equal(await ttlOf(status?.id), 3_600);
  await apply(whatsAppTemplates, "brief", text("brief", "We are here for an hour.", { messageTtlSeconds: 2_592_000 }));
  await until(async () => (await ttlOf(status?.id)) === -1, { ...patience, message: "the new time to live is there" });
  await untilSaid("brief", "Drifted=False/AsDeclared");
  await untilSaid("brief", "Ready=True/Approved");
});

test("Delete takes it away also when its account's resource went before it", async () => {
  await apply(whatsAppTemplates, "orphan", text("orphan", "This one goes last.", { deletionPolicy: "Delete" }));
  await untilSaid("orphan", "Submitted=True/Submitted");
  await admin.client.delete(businessAccounts, `${namespace}/fjord-coffee`);
  await untilSaid("orphan", "Ready=False/AccountMissing");
  await admin.client.delete(whatsAppTemplates, `${namespace}/orphan`);
  await until(async () => (await get("orphan")) === undefined, { ...patience, message: "orphan is still there" });
  assert.equal((await atWhatsApp()).filter(({ name }) => name === "orphan").length, 0);
});
