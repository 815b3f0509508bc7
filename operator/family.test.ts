// All kinds together, from files to WhatsApp: what adopt writes, the samples, hostile objects, and that nothing is left to be written
// when things have settled. On an API server of its own, with the operator as a process.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { createClient } from "#lib/grpc.ts";
import { sleep } from "#lib/lifecycle.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { TemplatesService } from "#proto/heliograph/templates/v1/templates_pb.ts";
import { until } from "#test/until.ts";
import { loadKinds } from "./api/crds.ts";
import { hasStatus } from "./runtime/api-error.ts";
import { isRecord, keyOf, type KubeObject, pathOf, type Resource, type Wish } from "./runtime/objects.ts";
import { bases, identityOf, numbersOf, oddlyAnnotated, oddSecrets } from "./test-bases.ts";
import { type Hostile, hostileSpecs } from "./test-hostile.ts";
import { untilSaid } from "./test-objects.ts";
import { openWorld, resourceOf, type World } from "./test-world.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const apiVersion = "heliograph.dev/v1alpha1";
const wabaId = "102290129340398";
const patience = { timeoutMs: 400_000 };
const run = promisify(execFile);
let world: World;

before(async () => {
  world = await openWorld();
});
after(() => world[Symbol.asyncDispose]());

const documentSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});

function documentsIn(text: string): Wish[] {
  const parsed = parseAllDocuments(text);
  assert.ok(Array.isArray(parsed));
  const values = parsed.map((one): unknown => one.toJS()).filter((one) => one !== null);
  return values.map((one) => documentSchema.parse(one));
}

const samplesFolder = `${root}deploy/samples`;
const samples = readdirSync(samplesFolder).flatMap((name) =>
  documentsIn(readFileSync(`${samplesFolder}/${name}`, "utf8")),
);
const sample = (name: string): Wish[] => samples.filter(({ metadata }) => metadata.name === name);

const resourceFor = (kind: string): Resource => resourceOf({ apiVersion, kind });
const keyFor = (kind: string, name: string): string =>
  kind === "ConnectionClass" ? name : `${world.namespace}/${name}`;
const said = (kind: string, name: string, type: string, expected: string): Promise<KubeObject> =>
  untilSaid(world.admin, resourceFor(kind), keyFor(kind, name), type, expected);

/** All that WhatsApp has. */
async function atWhatsApp(): Promise<Record<string, unknown>> {
  const ask = async (path: string): Promise<unknown> =>
    (await fetch(`${world.services.simulator}/admin/${path}`)).json();
  return { templates: await ask("templates"), numbers: await ask("numbers"), accounts: await ask("accounts") };
}

const templatesSchema = z.object({ templates: z.array(z.object({ name: z.string(), status: z.string() })) });

test("an account, a number, a class and a subscription of the samples are ready as they are", async () => {
  for (const one of [...sample("fjord-coffee"), ...sample("orders"), ...sample("default"), ...sample("receiver")])
    await world.apply(one);
  await said("WhatsAppNumber", "orders", "Ready", "True Ready");
  await said("WhatsAppBusinessAccount", "fjord-coffee", "TokenValid", "True TokenAccepted");
  await said("WhatsAppBusinessAccount", "fjord-coffee", "Ready", "True Ready");
  await said("ConnectionClass", "default", "Ready", "True Usable");
  await said("WebhookSubscription", "receiver", "Ready", "True Ready");
});

test("what adopt writes of an account, its numbers and templates changes nothing at WhatsApp when it is applied", async () => {
  const before = await atWhatsApp();
  const { messages, templates } = world.services;
  await using register = createClient(MessagesService, messages);
  const registered = async () => {
    const { number } = await register.getNumber({ phoneNumberId: "106540352242922" });
    return { ...number, connection: undefined };
  };
  const orders = await registered();
  const args = ["services/cli/main.ts", "adopt", "--messages", messages, "--templates", templates];
  const { stdout } = await run(process.execPath, args, { cwd: root });
  const adopted = documentsIn(stdout);
  const ofKind = (wanted: string): Wish[] => adopted.filter(({ kind }) => kind === wanted);
  assert.deepEqual(
    ["WhatsAppBusinessAccount", "WhatsAppNumber"].map((kind) => ofKind(kind).map(({ metadata }) => metadata.name)),
    [["fjord-coffee"], ["orders", "fjord-coffee-care"]],
  );
  for (const one of adopted) await world.apply(one);
  for (const { kind, metadata } of ofKind("WhatsAppTemplate"))
    await said(kind, metadata.name, "Drifted", "False AsDeclared");
  await said("WhatsAppNumber", "fjord-coffee-care", "Connected", "False Disconnected");
  for (const [kind, name] of [
    ["WhatsAppBusinessAccount", "fjord-coffee"],
    ["WhatsAppNumber", "orders"],
  ] as const)
    assert.equal((await said(kind, name, "Ready", "True Ready")).metadata.generation, 1, `${name} is as it was`);
  assert.deepEqual(await atWhatsApp(), before);
  assert.deepEqual(await registered(), orders);
});

test("the templates of the samples are handed in, or are there as they are declared", async () => {
  // What adopt wrote is older and the same.
  await world.admin.client.delete(resourceFor("WhatsAppTemplate"), keyFor("WhatsAppTemplate", "order-update-en-us"));
  for (const one of [...sample("order-update"), ...sample("new-roast")]) await world.apply(one);
  await said("WhatsAppTemplate", "order-update", "Ready", "True Approved");
  await said("WhatsAppTemplate", "new-roast", "Submitted", "True Submitted");
  const isApproved = async (): Promise<boolean> => {
    const { templates } = templatesSchema.parse((await atWhatsApp())["templates"]);
    return templates.some(({ name, status }) => name === "new_roast" && status === "APPROVED");
  };
  await until(isApproved, patience);
  // News would tell at once, and would be delivered to the sample's address, where nobody is.
  await using service = createClient(TemplatesService, world.services.templates);
  await service.syncTemplates({ wabaId }, { deadlineMs: 60_000 });
});

/** Any other finds other values; each field has some thirty, of which so many are tried. */
const choice = { seed: 1, most: 3 };

type Accepted = { resource: Resource; key: string; name: string; what: string };

/** Undefined: the server refuses it. */
async function offer({ kind, what, spec, annotations }: Hostile, index: number): Promise<Accepted | undefined> {
  const resource = resourceFor(kind);
  const namespace = kind === "WhatsAppNumber" ? world.emptyNamespace : world.namespace;
  const name = `hostile-${index}`;
  const metadata = {
    name,
    ...(resource.isNamespaced && { namespace }),
    ...(annotations !== undefined && { annotations }),
  };
  const body = { apiVersion, kind, metadata, spec: { ...identityOf(kind, index), ...spec } };
  const isTaken = await patiently(what, async () => {
    try {
      await world.admin.client.create(resource, body);
      return "taken";
    } catch (error) {
      // An answer was lost.
      if (hasStatus(error, 409)) return "taken";
      if (hasStatus(error, 400, 422)) return "refused";
      throw error;
    }
  });
  return isTaken === "taken" ? { resource, key: keyOf(metadata), name, what } : undefined;
}

/** On a machine that has too much to do an answer may take too long. */
function patiently<T>(what: string, work: () => Promise<T>): Promise<T> {
  return until(async () => ({ result: await work() }), { ...patience, message: what }).then(({ result }) => result);
}

/** So many at a time, in order. */
async function inTurn<T, R>(items: readonly T[], work: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of waiting) results[index] = await work(item, index);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return results;
}

async function offerAll(offered: readonly Hostile[], from = 0): Promise<Accepted[]> {
  const taken = await inTurn(offered, (one, index) => offer(one, from + index));
  return taken.filter((one) => one !== undefined);
}

function isAnswered({ metadata, status }: KubeObject): boolean {
  const conditions: unknown = isRecord(status) ? status["conditions"] : undefined;
  if (!Array.isArray(conditions)) return false;
  return conditions.some(
    (one) => isRecord(one) && one["observedGeneration"] === metadata.generation && one["reason"] !== "",
  );
}

/** All objects of the kinds of these, by kind and key. */
async function present(accepted: readonly Accepted[]): Promise<Map<string, KubeObject>> {
  const resources = [...new Map(accepted.map(({ resource }) => [resource.kind, resource])).values()];
  const pages = await Promise.all(resources.map((resource) => world.admin.client.list(resource, {})));
  return new Map(pages.flatMap(({ items }) => items.map((item) => [`${item.kind} ${keyOf(item.metadata)}`, item])));
}

/** Waits until none of them is left for which `isLeft` holds. */
async function untilNone(
  accepted: readonly Accepted[],
  isLeft: (object: KubeObject | undefined) => boolean,
): Promise<void> {
  await until(async () => {
    const objects = await present(accepted);
    const left = accepted.filter(({ resource, key }) => isLeft(objects.get(`${resource.kind} ${key}`)));
    const [first] = left;
    if (first === undefined) return true;
    const status = objects.get(`${first.resource.kind} ${first.key}`)?.["status"];
    const names = left.slice(0, 10).map(({ key, what }) => `${key}: ${what}`);
    throw new Error(`${left.length} left: ${names.join("; ")}; ${JSON.stringify(status)}`);
  }, patience);
}

/** A key that is worked on all the time would be seen by it. */
async function untilAtRest(): Promise<void> {
  const count = (): Promise<number> => world.operator.metric("controller_runtime_reconcile_total");
  await until(async () => {
    const since = await count();
    await sleep(1_000);
    const more = (await count()) - since;
    if (more > 20) throw new Error(`${more} reconciles a second`);
    return true;
  }, patience);
}

const failureSchema = z.object({
  message: z.literal("reconcile failed, will try again"),
  err: z.object({ type: z.string(), reason: z.string().optional(), message: z.string() }),
});

/** A service that is slow or away, and a pod that the API server refuses, are told in conditions; everything else is none of that. */
function isBug(line: string): boolean {
  const { data } = failureSchema.safeParse(line.startsWith("{") ? JSON.parse(line) : undefined);
  if (data === undefined) return false;
  const { type, reason = "", message } = data.err;
  if (type !== "ApiError") return type !== "ServiceError";
  return ["Invalid", "Forbidden", "BadRequest"].includes(reason) && !/^POST [^ ]+\/pods: /.test(message);
}

let hostile: Accepted[] = [];

test(`whatever the server takes gets a condition with a reason, and the queues come to rest (seed ${choice.seed})`, async (t) => {
  const { namespace, emptyNamespace, operator } = world;
  const secret = async (name: string, more: object): Promise<void> => {
    for (const place of [namespace, emptyNamespace])
      await world.apply({ apiVersion: "v1", kind: "Secret", metadata: { name, namespace: place }, ...more });
  };
  await secret("acme", { stringData: { accessToken: "simulator-access-token", appSecret: "a", verifyToken: "b" } });
  for (const [name, data] of Object.entries(oddSecrets)) await secret(name, { data });
  const metadata = { name: "acme", namespace: emptyNamespace };
  const spec = { wabaId: "96000000", credentialsRef: { name: "acme" } };
  await world.apply({ apiVersion, kind: "WhatsAppBusinessAccount", metadata, spec });
  const offered = [
    ...loadKinds().flatMap((kind) => hostileSpecs(kind, bases[kind.kind] ?? [], choice)),
    ...oddlyAnnotated(),
  ];
  const first = await offerAll(offered);
  const classes = first.filter(({ resource }) => resource.kind === "ConnectionClass");
  hostile = [...first, ...(await offerAll(numbersOf(classes), offered.length))];
  t.diagnostic(`${offered.length} objects offered, ${hostile.length} taken`);
  await untilNone(hostile, (object) => object === undefined || !isAnswered(object));
  await untilAtRest();
  operator.assertAlive();
  assert.deepEqual(operator.log().filter(isBug), []);
  for (const name of ["number", "account", "template", "webhook", "class"])
    await until(async () => (await operator.metric("workqueue_depth", { name })) === 0, {
      ...patience,
      message: `queue ${name} is empty`,
    });
});

test("beside them a good object of each kind still becomes ready, soon", async () => {
  const { admin } = world;
  const again = "hello-world-en-us";
  const templates = resourceFor("WhatsAppTemplate");
  const spec = (await admin.client.get(templates, keyFor(templates.kind, again)))?.["spec"];
  await admin.client.delete(templates, keyFor(templates.kind, again));
  // Older, and the same number.
  await admin.client.delete(resourceFor("WhatsAppNumber"), keyFor("WhatsAppNumber", "fjord-coffee-care"));
  const good = (kind: string, fields: unknown): Wish => ({
    apiVersion,
    kind,
    metadata: { name: "spare" },
    spec: fields,
  });
  await world.apply({ ...good("WhatsAppTemplate", spec), metadata: { name: again } });
  await world.apply(good("WhatsAppBusinessAccount", { wabaId: "95000000", credentialsRef: { name: "acme" } }));
  await world.apply(good("ConnectionClass", {}));
  const [receiver] = sample("receiver");
  await world.apply(good("WebhookSubscription", receiver?.["spec"]));
  for (const one of sample("care")) await world.apply(one);
  await said("WhatsAppTemplate", again, "Ready", "True Approved");
  await said("WhatsAppBusinessAccount", "spare", "Ready", "True Ready");
  await said("ConnectionClass", "spare", "Ready", "True Usable");
  await said("WebhookSubscription", "spare", "Ready", "True Ready");
  await said("WhatsAppNumber", "care", "Ready", "True Ready");
});

test("hostile objects go away when they are deleted", async () => {
  const { admin, operator } = world;
  // Deregistering takes a process that holds the number, and these pods never run.
  const objects = await patiently("all objects", () => present(hostile));
  const remove = async ({ resource, key, name }: Accepted): Promise<void> => {
    const spec = objects.get(`${resource.kind} ${key}`)?.["spec"];
    if (resource.kind === "WhatsAppNumber" && isRecord(spec) && spec["deletionPolicy"] === "Delete") {
      const path = pathOf(resource, { namespace: world.emptyNamespace, name });
      const body = { spec: { deletionPolicy: "Retain" } };
      await admin.transport.send({ method: "PATCH", path, body, contentType: "application/merge-patch+json" });
    }
    await admin.client.delete(resource, key);
  };
  const gone = (error: unknown): void => assert.ok(hasStatus(error, 404), String(error));
  await inTurn(hostile, (one) => patiently(one.what, () => remove(one).catch(gone)));
  await untilNone(hostile, (object) => object !== undefined);
  await untilAtRest();
  operator.assertAlive();
});

/** What helm, Flux and Argo make of an object's status: https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus */
function kstatusOf({ metadata, status }: KubeObject): string {
  if (!isRecord(status) || status["observedGeneration"] !== metadata.generation) return "InProgress";
  const conditions = z.array(z.object({ type: z.string(), status: z.string() })).parse(status["conditions"]);
  const is = (type: string): string | undefined => conditions.find((one) => one.type === type)?.status;
  if (is("Reconciling") === "True") return "InProgress";
  if (is("Stalled") === "True") return "Failed";
  return is("Ready") === "True" ? "Current" : "InProgress";
}

const managedSchema = z.object({
  metadata: z.object({
    managedFields: z.array(z.object({ manager: z.string(), fieldsV1: z.record(z.string(), z.unknown()) })),
  }),
});

const ours = samples.filter(({ kind }) => kind !== "Secret");
const live = async ({ kind, metadata }: Wish): Promise<KubeObject> => {
  const found = await world.admin.client.get(resourceFor(kind), keyFor(kind, metadata.name));
  assert.ok(found, `${kind} ${metadata.name}`);
  return found;
};

test("when the samples have settled helm and kubectl end their waiting, and applying them again writes nothing", async () => {
  const settled = async (): Promise<true> => {
    for (const one of ours) {
      const object = await live(one);
      if (kstatusOf(object) !== "Current")
        throw new Error(`${one.kind} ${one.metadata.name}: ${JSON.stringify(object["status"])}`);
    }
    return true;
  };
  // What adopt wrote, and the samples do not say, is given up by this.
  for (const one of samples) await world.apply(one);
  await until(settled, { ...patience, message: "all samples are settled" });
  for (const one of ours) {
    const before = await live(one);
    const { metadata } = await world.apply(one);
    assert.equal(metadata.resourceVersion, before.metadata.resourceVersion, `${one.kind} ${one.metadata.name}`);
  }
});

test("the operator owns no field of a spec, and no field that a file has", async () => {
  for (const one of ours) {
    const { name } = one.metadata;
    const path = pathOf(resourceFor(one.kind), { name, namespace: world.namespace });
    const { managedFields } = managedSchema.parse(await world.admin.transport.send({ method: "GET", path })).metadata;
    const operators = managedFields.filter(({ manager }) => manager.startsWith("heliograph"));
    assert.ok(operators.length > 0, `${one.kind} ${name} has an operator`);
    for (const { fieldsV1 } of operators) {
      assert.equal("f:spec" in fieldsV1, false, `${one.kind} ${name}`);
      const metadata = JSON.stringify(fieldsV1["f:metadata"] ?? {});
      assert.doesNotMatch(metadata, /f:labels|is-default-class/, `${one.kind} ${name}`);
    }
  }
});

const kubectl = (...args: string[]): Promise<{ stdout: string }> => {
  const place = ["--kubeconfig", world.kubeconfig, "--cache-dir", `${world.kubeconfig}-cache`, "-n", world.namespace];
  return run("kubectl", [...place, ...args]);
};

test("kubectl sees it the same way", async (t) => {
  const isThere = await run("kubectl", ["version", "--client"]).then(
    () => true,
    () => false,
  );
  if (!isThere) return t.skip("there is no kubectl");
  await kubectl("apply", "-f", samplesFolder);
  // Exit code 1 would say that there are differences.
  assert.equal((await kubectl("diff", "-f", samplesFolder)).stdout, "");
  const lines = (await kubectl("apply", "-f", samplesFolder)).stdout.trim().split("\n");
  assert.deepEqual(
    // Of a Secret with stringData kubectl says so each time.
    lines.filter((line) => !line.endsWith(" unchanged") && !line.startsWith("secret/")),
    [],
  );
  await kubectl("wait", "--for=condition=Ready", "--timeout=60s", "-f", `${samplesFolder}/numbers.yaml`);
  const table = (await kubectl("get", "wan", "orders", "care")).stdout;
  assert.match(table, /^NAME +READY +REASON +CONNECTED +QUALITY +LIMIT +USED +AGE\n/);
  assert.match(table, /^orders +True +Ready +True +\w+ +\w+ +0\.0 +\w+$/m);
  const story = (await kubectl("describe", "wan", "orders")).stdout;
  for (const words of ["Events:", "the number can send and receive", "FirstPod"])
    assert.ok(story.includes(words), story);
});

test("the operator ends when it is told to", async () => {
  world.operator.assertAlive();
  assert.equal(await world.operator.stop(), 0);
});
