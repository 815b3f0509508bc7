// Numbers from YAML to sending, on a real API server, with real processes and with the operator's least rights. One stage for all
// tests of this file, a number for each.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sleep } from "#lib/lifecycle.ts";
import { until } from "#test/until.ts";
import { connectionClasses, pods, secrets, whatsAppNumbers } from "../kinds.ts";
import { projectPod } from "../pod-view.ts";
import type { Operator } from "../start.ts";
import { numberOf, openStage, patientMs as timeoutMs, type Stage, unregistered } from "./test-stage.ts";

let stage: Stage;
let operator: Operator;

before(async () => {
  stage = await openStage();
  await stage.applySecret();
  await stage.applyAccount();
  operator = await stage.startOperator();
});
after(() => stage[Symbol.asyncDispose]());

test("an applied number gets its pod, is connected and Ready, and sends", async () => {
  await stage.connect("orders", 0);
  assert.deepEqual(await stage.podNames(), ["orders-c1"]);
  await stage.sendTo(0);
  const { status, metadata } = await until(
    async () => {
      const number = await stage.getNumber("orders");
      return number.status?.qualityRating === "Green" ? number : undefined;
    },
    { timeoutMs },
  );
  assert.deepEqual(metadata.finalizers, ["heliograph.dev/number"]);
  assert.equal(status?.messagingLimit, "1000");
  assert.equal(status?.maskedPhoneNumber, "+15*******00");
  assert.doesNotMatch(JSON.stringify(status), /15550200000/);
  const { number } = await stage.messages.getNumber({ phoneNumberId: numberOf(0).phoneNumberId });
  assert.equal(number?.connection?.holder, status?.connection?.podUid);
});

test("a process that dies is restarted in its pod", async () => {
  await stage.connect("crash", 1);
  const [first] = [stage.kubelet.processOf("crash-c1")];
  first?.kill("SIGKILL");
  await until(() => stage.kubelet.starts.filter((name) => name === "crash-c1").length === 2, { timeoutMs });
  await until(
    async () => {
      const { number } = await stage.messages.getNumber({ phoneNumberId: numberOf(1).phoneNumberId });
      return number?.connection?.cause === "restarted";
    },
    { timeoutMs },
  );
  await stage.untilReady("crash");
  await stage.sendTo(1);
  assert.equal((await stage.getNumber("crash")).status?.connection?.epoch, 1);
});

test("a deleted pod is followed by the next epoch, while it drains", async () => {
  await stage.connect("deleted", 2);
  await stage.deletePod("deleted-c1");
  await stage.untilEpoch("deleted", 2);
  await stage.untilPods(["deleted-c2"], "deleted");
  await stage.sendTo(2);
});

test("a missing Secret is told, and healed when it appears", async () => {
  await stage.applyNumber("secretless", { ...numberOf(4), credentialsRef: { name: "late" } });
  const number = await stage.untilCondition("secretless", "Ready", "False", "SecretMissing");
  const stalled = number.status?.conditions?.find(({ type }) => type === "Stalled");
  assert.equal(stalled?.status, "True");
  assert.match(stalled?.message ?? "", /secret \S+\/late does not exist; it must hold the access token/);
  await stage.untilPods([], "secretless");
  await stage.applySecret("late");
  await stage.untilReady("secretless");
  await stage.admin.client.delete(secrets, `${stage.namespace}/late`);
  await stage.untilCondition("secretless", "Degraded", "True", "SecretMissing");
  await stage.untilPods(["secretless-c1"], "secretless");
  await stage.applySecret("late");
  await stage.untilReady("secretless");
});

test("a missing account or class is told, and no pod is made", async () => {
  await stage.applyNumber("orphan", { ...numberOf(5), accountRef: { name: "nobody" } });
  await stage.applyNumber("classless", { ...numberOf(6), connectionClassName: `${stage.namespace}-late` });
  await stage.untilCondition("orphan", "Ready", "False", "AccountMissing");
  await stage.untilCondition("classless", "Ready", "False", "ClassMissing");
  await stage.untilPods([], "classless");
  await stage.apply(connectionClasses, `${stage.namespace}-late`, {}, { namespace: undefined });
  await stage.untilReady("classless");
  await until(async () => {
    const found = await stage.admin.client.get(connectionClasses, `${stage.namespace}-late`);
    return JSON.stringify(found?.["status"] ?? {}).includes('"Usable"');
  });
});

test("of two resources with the same number the older one has it, until it is gone", async () => {
  await stage.connect("elder", 7);
  await stage.applyNumber("twin", numberOf(7));
  await stage.untilCondition("twin", "Ready", "False", "NumberInUse");
  await stage.untilPods([], "twin");
  await stage.admin.client.delete(whatsAppNumbers, `${stage.namespace}/elder`);
  await stage.untilReady("twin");
});

test("a disconnected number loses its pod and comes back with the next", async () => {
  await stage.connect("rests", 8);
  await stage.applyNumber("rests", { ...numberOf(8), desiredState: "Disconnected" });
  // By which kubectl wait and helm --wait end.
  const { status } = await stage.untilCondition("rests", "Ready", "True", "Disconnected");
  const said = ["Connected", "Reconciling", "Stalled"].map((type) =>
    status?.conditions?.find((condition) => condition.type === type),
  );
  assert.deepEqual(
    said.map((condition) => condition?.status),
    ["False", "False", "False"],
  );
  await stage.untilPods([], "rests");
  await stage.applyNumber("rests", { ...numberOf(8), desiredState: "Connected" });
  await stage.untilEpoch("rests", 2);
});

test("a fence takes the pod away, a pause leaves everything as it is", async () => {
  await stage.connect("held", 9);
  await stage.annotate("held", { "heliograph.dev/fence": "true" });
  await stage.untilCondition("held", "Ready", "True", "Fenced");
  await stage.untilPods([], "held");
  await stage.annotate("held", { "heliograph.dev/paused": "true", "heliograph.dev/fence": null });
  await stage.untilCondition("held", "ReconciliationPaused", "True", "Paused");
  await stage.untilPods([], "held");
  await stage.annotate("held", { "heliograph.dev/paused": null });
  await stage.untilReady("held");
});

test("a deleted number is taken down and forgotten by the services", async () => {
  await stage.connect("over", 10);
  await stage.admin.client.delete(whatsAppNumbers, `${stage.namespace}/over`);
  const isGone = async (): Promise<boolean> =>
    (await stage.admin.client.get(whatsAppNumbers, `${stage.namespace}/over`)) === undefined;
  await until(isGone, { timeoutMs });
  await stage.untilPods([], "over");
  await assert.rejects(stage.messages.getNumber({ phoneNumberId: numberOf(10).phoneNumberId }), /not declared/);
});

test("a number that is not registered is registered with its PIN; a wrong PIN is told and not tried twice", async () => {
  const [asked = 0, given = 0, wrong = 0] = unregistered;
  await stage.applyNumber("asked", numberOf(asked));
  await stage.untilCondition("asked", "Ready", "False", "NotRegistered");
  await stage.applySecret("pins", { right: "123456", wrong: "654321" });
  const pinned = (key: string): object => ({ registration: { pinRef: { name: "pins", key } } });
  await stage.applyNumber("given", { ...numberOf(given), ...pinned("right") });
  await stage.applyNumber("wrong", { ...numberOf(wrong), ...pinned("wrong") });
  await stage.untilCondition("given", "Registered", "True");
  await stage.untilCondition("wrong", "Registered", "False", "PinWrong");
});

test("deletion with policy Delete deregisters at WhatsApp first", async () => {
  await stage.connect("farewell", 11, { deletionPolicy: "Delete" });
  await stage.admin.client.delete(whatsAppNumbers, `${stage.namespace}/farewell`);
  const isGone = async (): Promise<boolean> =>
    (await stage.admin.client.get(whatsAppNumbers, `${stage.namespace}/farewell`)) === undefined;
  await until(isGone, { timeoutMs });
  const answer = await fetch(`${stage.services.simulator}/v24.0/${numberOf(11).phoneNumberId}?fields=platform_type`, {
    headers: { authorization: "Bearer simulator-access-token" },
  });
  assert.match(await answer.text(), /NOT_APPLICABLE/);
});

test("changed settings move the numbers of a class one after the other, the old pod until the new one sends", async () => {
  const className = `${stage.namespace}-moves`;
  const rules = { canary: { count: 1, pauseSeconds: 0 }, surge: { percent: 1, min: 1, max: 1 } };
  const applyClass = (podTemplate: object): Promise<unknown> =>
    stage.apply(connectionClasses, className, { ...rules, podTemplate }, { namespace: undefined });
  await applyClass({});
  await stage.connect("move-a", 12, { connectionClassName: className });
  await stage.connect("move-b", 13, { connectionClassName: className });
  await applyClass({ metadata: { annotations: { example: "1" } } });
  await stage.untilEpoch("move-a", 2);
  await stage.untilEpoch("move-b", 2);
  await stage.untilPods(["move-a-c2"], "move-a");
  await stage.untilPods(["move-b-c2"], "move-b");
  await applyClass({
    spec: { containers: [{ name: "connection", resources: { limits: { memory: "1" }, requests: { memory: "2" } } }] },
  });
  await until(
    async () => {
      const found = await Promise.all(["move-a", "move-b"].map((name) => stage.getNumber(name)));
      return found.some(({ status }) => status?.conditions?.some(({ reason }) => reason === "PodRefused"));
    },
    { timeoutMs },
  );
  await stage.untilPods(["move-a-c2"], "move-a");
  await stage.untilPods(["move-b-c2"], "move-b");
  await applyClass({ metadata: { annotations: { example: "1" } } });
  await stage.untilReady("move-a");
});

test("a drained node is left", async () => {
  // Of its own class: the turns of the node's other numbers come one after the other.
  const connectionClassName = `${stage.namespace}-drains`;
  await stage.apply(connectionClasses, connectionClassName, {}, { namespace: undefined });
  await stage.connect("drained", 14, { connectionClassName });
  const [first = "", second = ""] = stage.kubelet.nodes;
  await stage.kubelet.setUnschedulable(first, true);
  await stage.untilEpoch("drained", 2);
  await stage.untilPods(["drained-c2"], "drained");
  const pod = await stage.admin.client.get(pods, `${stage.namespace}/drained-c2`);
  assert.equal(pod && projectPod(pod).nodeName, second);
  await stage.kubelet.setUnschedulable(first, false);
});

test("a fleet at rest writes nothing", async () => {
  const countWrites = async (): Promise<number> => {
    const text = await (await fetch(`${operator.http}/metrics`)).text();
    const lines = text
      .split("\n")
      .filter((line) => /^rest_client_requests_total\{method="(PATCH|POST|DELETE)"/.test(line));
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  };
  // What the tests before have begun comes to an end first; then nothing at all is written for as long as is looked.
  await until(
    async () => {
      const before = await countWrites();
      await sleep(6_000);
      return (await countWrites()) === before;
    },
    { timeoutMs: 3 * timeoutMs, message: "six seconds without a write" },
  );
});
