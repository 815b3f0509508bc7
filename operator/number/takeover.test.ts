// Pods that never come, processes that stand still, nodes that are lost, pods that are taken away by force: another pod takes the
// number over when that is safe and not before, and every message goes out once. Two nodes: what is to be lost lives on the second.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { until } from "#test/until.ts";
import { connectionClasses, pods, whatsAppNumbers } from "../kinds.ts";
import { projectPod } from "../pod-view.ts";
import type { Operator } from "../start.ts";
import { numberOf, openStage, patientMs, type Stage } from "./test-stage.ts";

let stage: Stage;
let operator: Operator;
let classes: Record<"moves" | "default", { connectionClassName: string }>;
const indexes = { lost: 0, forced: 1, doomed: 2, spared: 3, silent: 4, "move-a": 5, "move-b": 6 };
type Name = keyof typeof indexes;
// A pod is not taken over for its silence in its first minute; and on a slow machine the wait may be long.
const timeoutMs = 2 * patientMs;

before(async () => {
  stage = await openStage({ LEASE_MS: "12000", STOP_AFTER_MS: "8000", RENEW_EVERY_MS: "1000" });
  await stage.applySecret();
  await stage.applyAccount();
  operator = await stage.startOperator();
  const [first = ""] = stage.kubelet.nodes;
  classes = {
    moves: { connectionClassName: `${stage.namespace}-moves` },
    default: { connectionClassName: `${stage.namespace}-default` },
  };
  await applyClass("moves", {});
  await applyClass("default", {});
  const connect = (names: Name[], of: "moves" | "default"): Promise<unknown> =>
    Promise.all(names.map((name) => stage.connect(name, indexes[name], classes[of])));
  await stage.kubelet.setUnschedulable(first, true);
  await connect(["lost", "forced", "doomed", "spared"], "default");
  await stage.kubelet.setUnschedulable(first, false);
  await connect(["silent", "move-a", "move-b"], "moves");
});
after(() => stage[Symbol.asyncDispose]());

/** Where a standby is to come up it has the time that a loaded machine takes for that. */
function applyClass(of: "moves" | "default", podTemplate: object, standbyTimeoutSeconds = 120): Promise<unknown> {
  const rules = {
    canary: { count: 0, pauseSeconds: 0 },
    surge: { percent: 1, min: 1, max: 1 },
    takeover: { standbyTimeoutSeconds },
  };
  const { connectionClassName } = classes[of];
  return stage.apply(connectionClasses, connectionClassName, { ...rules, podTemplate }, { namespace: undefined });
}

function processOf(pod: string): ChildProcess {
  const child = stage.kubelet.processOf(pod);
  assert.ok(child, `${pod} has a process`);
  return child;
}

async function podsOf(name: string): Promise<string[]> {
  return (await stage.podNames()).filter((pod) => pod.startsWith(`${name}-c`));
}

async function causeOf(name: Name): Promise<string | undefined> {
  const { number } = await stage.messages.getNumber({ phoneNumberId: numberOf(indexes[name]).phoneNumberId });
  return number?.connection?.cause;
}

async function nodeOf(pod: string): Promise<string | undefined> {
  const object = await stage.admin.client.get(pods, `${stage.namespace}/${pod}`);
  return object && projectPod(object).nodeName;
}

const moving: Name[] = ["move-a", "move-b"];

test("a standby that does not come is given up in time, one at a time, whatever becomes of the operator", async () => {
  let mostMoving = 0;
  const look = async (): Promise<void> => {
    const found = await Promise.all(moving.map(podsOf));
    mostMoving = Math.max(mostMoving, found.filter(({ length }) => length > 1).length);
  };
  const isMoving = async (): Promise<boolean> => {
    await look();
    return mostMoving > 0;
  };
  await applyClass("moves", { spec: { nodeSelector: { "example.com/no-such": "node" } } }, 15);
  await until(isMoving, { timeoutMs });
  await operator[Symbol.asyncDispose]();
  operator = await stage.startOperator();
  const givenUp = await until(
    async () => {
      await look();
      const numbers = await Promise.all(moving.map((name) => stage.getNumber(name)));
      return numbers.find(({ status }) => status?.conditions?.some(({ reason }) => reason === "StandbyGivenUp"));
    },
    { timeoutMs, message: "a standby is given up" },
  );
  assert.equal(mostMoving, 1, "the surge allows one");
  const { name } = givenUp.metadata;
  const conditionOf = (type: string) => givenUp.status?.conditions?.find((condition) => condition.type === type);
  assert.match(
    conditionOf("Degraded")?.message ?? "",
    new RegExp(
      `^pod ${name}-c2 did not take the number over in time \\(no node takes it\\) and was given up, ${name}-c1 goes on`,
    ),
  );
  assert.equal(conditionOf("Ready")?.status, "True");
  for (const each of moving) {
    await stage.sendTo(indexes[each]);
    assert.ok((await podsOf(each)).includes(`${each}-c1`), "the pod that serves stays");
  }
});

test("mended settings are taken at once by those whose standbys were given up", async () => {
  await applyClass("moves", { metadata: { annotations: { example: "mended" } } });
  for (const name of [...moving, "silent"] as const) {
    await until(
      async () => {
        const [pod, ...more] = await podsOf(name);
        return pod !== undefined && more.length === 0 && pod !== `${name}-c1`;
      },
      { timeoutMs, message: `${name} has moved` },
    );
    await stage.untilCondition(name, "Degraded", "False");
    await stage.sendTo(indexes[name]);
  }
});

let heal: () => Promise<void>;
const frozen: ChildProcess[] = [];
const waiting: string[] = [];

test("a pod that fell silent with its node is taken over elsewhere, and stays as evidence", async () => {
  const [first, second = ""] = stage.kubelet.nodes;
  heal = await stage.kubelet.lose(second);
  for (const name of ["lost", "forced", "doomed"] as const) {
    const child = processOf(`${name}-c1`);
    child.kill("SIGSTOP");
    frozen.push(child);
  }
  // What is handed in meanwhile waits for the next process.
  waiting.push(await stage.accept(indexes.lost), await stage.accept(indexes.forced));
  await stage.deletePod("forced-c1", { gracePeriodSeconds: 0 });
  await stage.admin.client.delete(whatsAppNumbers, `${stage.namespace}/doomed`);
  await until(async () => (await podsOf("lost")).length === 2, { timeoutMs, message: "lost has its next pod" });
  await stage.untilEpoch("lost", 2);
  assert.equal(await causeOf("lost"), "expired");
  assert.equal(await nodeOf("lost-c2"), first);
  assert.deepEqual(await podsOf("lost"), ["lost-c1", "lost-c2"]);
});

test("a pod that was deleted by force on a lost node is followed when its lease has run out", async () => {
  await stage.untilEpoch("forced", 2);
  assert.equal(await causeOf("forced"), "expired");
  assert.deepEqual(await podsOf("forced"), ["forced-c2"]);
});

test("a number is deleted though its pod cannot be ended, when the lease has run out", async () => {
  const isGone = async (): Promise<boolean> =>
    (await stage.admin.client.get(whatsAppNumbers, `${stage.namespace}/doomed`)) === undefined;
  await until(isGone, { timeoutMs });
  assert.deepEqual(await podsOf("doomed"), ["doomed-c1"]);
});

test("a number whose process renews its lease stays where it is, and says what its end waits for", async () => {
  assert.deepEqual(await podsOf("spared"), ["spared-c1"]);
  await stage.sendTo(indexes.spared);
  await stage.annotate("spared", { "heliograph.dev/fence": "true" });
  const { status } = await stage.untilCondition("spared", "Ready", "False", "Fenced");
  const { message = "" } = status?.conditions?.find(({ type }) => type === "Reconciling") ?? {};
  assert.match(message, /spared-c1 cannot be ended: its node \S+ does not answer, and its process still renews/);
});

test("when the node is back its processes find that they are over, and nothing was sent twice", async () => {
  for (const child of frozen) child.kill("SIGCONT");
  await heal();
  const haveEnded = (): boolean => frozen.every(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
  await until(haveEnded, { timeoutMs, message: "all have ended" });
  await stage.untilPods(["lost-c2"], "lost");
  await stage.untilPods([], "doomed");
  await stage.untilPods([], "spared");
  await stage.untilCondition("spared", "Ready", "True", "Fenced");
  for (const messageId of waiting) await stage.untilSent(messageId);
  await stage.assertSentOnce();
});

test("a process that stands still on a node that is well is taken over elsewhere", async () => {
  const [before = ""] = await podsOf("silent");
  const child = processOf(before);
  child.kill("SIGSTOP");
  const messageId = await stage.accept(indexes.silent);
  await until(async () => (await causeOf("silent")) === "expired", { timeoutMs, message: "silent was taken over" });
  await stage.untilSent(messageId);
  const exited = once(child, "exit");
  child.kill("SIGCONT");
  await exited;
  const next = await until(
    async () => {
      const [pod = "", ...more] = await podsOf("silent");
      return pod !== before && more.length === 0 ? pod : undefined;
    },
    { timeoutMs, message: "the pod that stood still is gone" },
  );
  assert.notEqual(await nodeOf(next), stage.kubelet.nodes[0]);
  await stage.sendTo(indexes.silent);
  await stage.assertSentOnce();
});
