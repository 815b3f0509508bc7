// A cluster with all that the operator meets there: the real API server, a kubelet, the real services, a simulated WhatsApp.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { v7 as uuidv7 } from "uuid";
import { type Client as RpcClient, createClient as createRpcClient } from "#lib/grpc.ts";
import { MessagesService, MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { kubeconfigFor, sharedKube } from "#test/env/kube.ts";
import { privateFolder } from "#test/env/folder.ts";
import { accessKube, installCrds, type KubeAccess, makeNamespace, makeUser } from "#test/env/kube-objects.ts";
import { type Kubelet, startKubelet } from "#test/env/kubelet.ts";
import { testLog } from "#test/env/log.ts";
import { type Lease, startSystemServices, type SystemServices } from "#test/env/system-services.ts";
import { until } from "#test/until.ts";
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import { readConfig } from "../config.ts";
import { businessAccounts, pods, projectNumber, secrets, type Stored, whatsAppNumbers } from "../kinds.ts";
import { clusterRules, leaseRules, namespacedRules } from "../rbac.ts";
import { parseKubeconfig } from "../runtime/kubeconfig.ts";
import type { KubeObject, Resource } from "../runtime/objects.ts";
import { type Operator, startOperator } from "../start.ts";

export type Stage = AsyncDisposable & {
  admin: KubeAccess;
  namespace: string;
  kubelet: Kubelet;
  services: SystemServices;
  messages: RpcClient<typeof MessagesService>;
  /** Of an operator with its least rights; ends with the stage at the latest. */
  startOperator(env?: Record<string, string>): Promise<Operator>;
  /** The environment of an operator's own process. */
  operatorEnv(): Record<string, string>;
  kubeconfig: string;
  apply(resource: Resource, name: string, spec: object, metadata?: object): Promise<KubeObject>;
  applyAccount(): Promise<void>;
  applySecret(name?: string, data?: Record<string, string>): Promise<void>;
  applyNumber(name: string, spec: object, metadata?: object): Promise<void>;
  annotate(name: string, annotations: Record<string, string | null>): Promise<void>;
  getNumber(name: string): Promise<Stored<WhatsAppNumber>>;
  untilCondition(name: string, type: string, status: string, reason?: string): Promise<Stored<WhatsAppNumber>>;
  untilReady(name: string): Promise<Stored<WhatsAppNumber>>;
  podNames(): Promise<string[]>;
  /** Applies the number and waits until it is Ready. */
  connect(name: string, index: number, spec?: object): Promise<void>;
  /** Hands in a template message from the number; waits until WhatsApp has taken it. */
  sendTo(index: number): Promise<void>;
  /** Hands it in only; its id. */
  accept(index: number): Promise<string>;
  untilSent(messageId: string): Promise<void>;
  /** Fails if WhatsApp has taken a message twice. */
  assertSentOnce(): Promise<void>;
  /** Waits until the number is Ready with a process of that epoch. */
  untilEpoch(name: string, epoch: number): Promise<void>;
  /** Waits until the number has just these pods. */
  untilPods(expected: string[], name: string): Promise<void>;
  deletePod(name: string, options?: { gracePeriodSeconds?: number }): Promise<boolean>;
};

/** A number of the simulated world, for the spec of a resource; each test has its own. */
export function numberOf(index: number): { phoneNumberId: string; phoneNumber: string } {
  return { phoneNumberId: String(900_000 + index), phoneNumber: `+155502000${String(index).padStart(2, "0")}` };
}

const wabaId = "102290129340398";
const account = { wabaId, credentialsRef: { name: "fjord" } };
const worldSize = 30;
/** Not registered at WhatsApp, with 123456 as their PIN. */
export const unregistered = [27, 28, 29];

function writeWorld(): string {
  const path = join(privateFolder("world"), "world.json");
  const numbers = Array.from({ length: worldSize }, (_, index) => {
    const { phoneNumberId, phoneNumber } = numberOf(index);
    const isRegistered = !unregistered.includes(index);
    const registration = isRegistered ? {} : { registered: false, pin: "123456" };
    return {
      id: phoneNumberId,
      displayPhoneNumber: phoneNumber.slice(1),
      verifiedName: `Number ${index}`,
      ...registration,
    };
  });
  const templates = [
    { id: "1", name: "hello", language: "en", category: "UTILITY", components: [{ type: "BODY", text: "Hello" }] },
  ];
  const app = {
    id: "1",
    name: "Test",
    secret: "simulator-app-secret",
    verifyToken: "verify",
    accessTokens: ["simulator-access-token"],
  };
  const accounts = [{ id: wabaId, name: "Fjord", numbers, templates }];
  const world = { app, businesses: [{ id: "2", name: "Fjord", messagingLimitTier: "TIER_1K", accounts }] };
  writeFileSync(path, JSON.stringify(world));
  return path;
}

/** On a machine where everybody waits for everybody. */
export const patientMs = 120_000;
/** Nothing waits for a lease to run out unless a test is about that, and a slow machine must not let one. */
const longLease: Lease = { LEASE_MS: "40000", STOP_AFTER_MS: "30000", RENEW_EVERY_MS: "2000" };

/** `lease`: how long a lease lives and so on, as the messages service reads it. */
export async function openStage(lease = longLease): Promise<Stage> {
  await using opened = new AsyncDisposableStack();
  const kube = await sharedKube();
  const admin = opened.use(accessKube(kube, { timeoutMs: patientMs }));
  await installCrds(admin);
  const namespace = await makeNamespace(admin, { "pod-security.kubernetes.io/enforce": "restricted" });
  const services = opened.use(await startSystemServices({ seedFile: writeWorld(), lease }));
  const messages = opened.use(createRpcClient(MessagesService, services.messages, { deadlineMs: patientMs }));
  const kubelet = opened.use(await startKubelet({ admin, namespace }));
  const token = await makeUser(admin, { namespace, rules: [...namespacedRules, ...leaseRules], clusterRules });
  const kubeconfig = kubeconfigFor(kube, token);
  const cluster = parseKubeconfig(kubeconfig);
  const env = {
    LOG_LEVEL: testLog.level,
    MESSAGES_ADDRESS: services.messages,
    TEMPLATES_ADDRESS: services.templates,
    BILLING_ADDRESS: services.billing,
    QUALITY_ADDRESS: services.quality,
    WEBHOOKS_ADDRESS: "127.0.0.1:1",
    NATS_URL: services.natsUrl,
    UPSTREAM_URL: services.simulator,
    CONNECTION_IMAGE: "heliograph:test",
    WATCH_NAMESPACE: namespace,
    LEASE_NAMESPACE: namespace,
    AWAY_AFTER_MS: "3000",
    SECRETS_EVERY_MS: "1500",
  };
  const running = opened.move();

  const apply: Stage["apply"] = (resource, name, spec, metadata = {}) => {
    const { group, version, kind } = resource;
    const wish = { apiVersion: `${group}/${version}`, kind, metadata: { name, namespace, ...metadata }, spec };
    return admin.client.apply(resource, wish, { fieldManager: "test" });
  };
  const getNumber = async (name: string): Promise<Stored<WhatsAppNumber>> => {
    const object = await admin.client.get(whatsAppNumbers, `${namespace}/${name}`);
    assert.ok(object, `number ${name} is there`);
    return projectNumber(object);
  };
  const untilCondition: Stage["untilCondition"] = async (name, type, status, reason) => {
    let last: unknown;
    try {
      return await until(
        async () => {
          const number = await getNumber(name);
          last = number.status;
          const found = number.status?.conditions?.find((condition) => condition.type === type);
          return found?.status === status && (reason === undefined || found.reason === reason) ? number : undefined;
        },
        { timeoutMs: patientMs, message: `${name} is ${type}=${status} ${reason ?? ""}` },
      );
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : ""}: ${JSON.stringify(last, null, 1)}`, {
        cause: error,
      });
    }
  };
  return {
    admin,
    namespace,
    kubelet,
    services,
    messages,
    apply,
    getNumber,
    untilCondition,
    kubeconfig,
    operatorEnv: () => env,
    startOperator: async (changes = {}) => {
      const operator = await startOperator({ config: readConfig({ ...env, ...changes }), cluster });
      running.use(operator);
      return operator;
    },
    async applyAccount() {
      await apply(businessAccounts, "fjord", account);
    },
    async applySecret(name = "fjord", data = { accessToken: "simulator-access-token" }) {
      const wish = { apiVersion: "v1", kind: "Secret", metadata: { name, namespace }, stringData: data };
      await admin.client.apply(secrets, wish, { fieldManager: "test" });
    },
    async applyNumber(name, spec, metadata) {
      await apply(whatsAppNumbers, name, { accountRef: { name: "fjord" }, ...spec }, metadata);
    },
    async annotate(name, annotations) {
      const path = `/apis/heliograph.dev/v1alpha1/namespaces/${namespace}/whatsappnumbers/${name}`;
      const body = { metadata: { annotations } };
      await admin.transport.send({ method: "PATCH", path, body, contentType: "application/merge-patch+json" });
    },
    untilReady: (name) => untilCondition(name, "Ready", "True"),
    podNames: async () => {
      const { items } = await admin.client.list(pods, { namespace });
      return items.map(({ metadata }) => metadata.name).sort();
    },
    async connect(name, index, spec = {}) {
      await apply(whatsAppNumbers, name, { accountRef: { name: "fjord" }, ...numberOf(index), ...spec });
      await untilCondition(name, "Ready", "True");
    },
    sendTo: async (index) => untilSent(messages, await accept(messages, numberOf(index).phoneNumberId)),
    accept: (index) => accept(messages, numberOf(index).phoneNumberId),
    untilSent: (messageId) => untilSent(messages, messageId),
    async assertSentOnce() {
      const answer = await fetch(`${services.simulator}/admin/messages?limit=0`);
      assert.match(await answer.text(), /"duplicates":\[\]/);
    },
    untilEpoch: (name, epoch) => untilReadyWith(async () => ({ number: await getNumber(name), messages }), epoch),
    async untilPods(expected, name) {
      const own = async (): Promise<string[]> => {
        const { items } = await admin.client.list(pods, { namespace });
        return items.map(({ metadata }) => metadata.name).filter((pod) => pod.startsWith(`${name}-c`));
      };
      const message = `${name} has the pods ${expected.join()}`;
      await until(async () => (await own()).sort().join() === expected.join(), { timeoutMs: patientMs, message });
    },
    deletePod: (name, options = {}) => admin.client.delete(pods, `${namespace}/${name}`, options),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

type Look = { number: Stored<WhatsAppNumber>; messages: RpcClient<typeof MessagesService> };

async function untilReadyWith(look: () => Promise<Look>, epoch: number): Promise<void> {
  let last: unknown;
  const isReady = async (): Promise<boolean> => {
    const { number, messages } = await look();
    const { status, spec } = number;
    last = status;
    const ready = status?.conditions?.find(({ type }) => type === "Ready");
    const { connection } = (await messages.getNumber({ phoneNumberId: spec.phoneNumberId })).number ?? {};
    const holds = connection?.connected === true && Number(connection.epoch) === epoch;
    return holds && connection.holder === status?.connection?.podUid && ready?.status === "True";
  };
  await until(isReady, { timeoutMs: patientMs, message: `Ready with epoch ${epoch}` }).catch((error: unknown) => {
    throw new Error(JSON.stringify(last, null, 1), { cause: error });
  });
}

async function accept(messages: RpcClient<typeof MessagesService>, phoneNumberId: string): Promise<string> {
  const messageId = uuidv7({ msecs: Date.now(), random: randomBytes(16) });
  const content = { kind: { case: "template" as const, value: { name: "hello", language: "en" } } };
  await messages.send({ messageId, phoneNumberId, recipient: "15551234567", content, category: "UTILITY" });
  return messageId;
}

async function untilSent(messages: RpcClient<typeof MessagesService>, messageId: string): Promise<void> {
  const states: unknown[] = [MessageState.SENT, MessageState.DELIVERED, MessageState.READ];
  const isSent = async (): Promise<boolean> =>
    states.includes((await messages.getMessage({ messageId })).message?.state);
  await until(isSent, { timeoutMs: patientMs, message: "the message is sent" });
}
